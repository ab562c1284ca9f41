// A program over the client that openapi-generator makes for Go, against a running gateway: ECG_URL and ECG_TOKEN say
// which. Package ecg is generated beside it; the rest is Go's standard library.
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"
	"time"

	"example/ecg"
)

// Example is a client with its token, and the receiver of its webhooks.
type Example struct {
	ctx      context.Context
	client   *ecg.APIClient
	retrying *Retrying
	receiver *Receiver
	endpoint *ecg.WebhookEndpoint
}

func main() {
	log.SetFlags(0)
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	retrying := &Retrying{Next: http.DefaultTransport}
	configuration := ecg.NewConfiguration()
	configuration.Servers = ecg.ServerConfigurations{{URL: os.Getenv("ECG_URL")}}
	configuration.HTTPClient = &http.Client{Transport: retrying}
	example := &Example{
		ctx:      context.WithValue(ctx, ecg.ContextAccessToken, os.Getenv("ECG_TOKEN")),
		client:   ecg.NewAPIClient(configuration),
		retrying: retrying,
	}
	if err := example.run(); err != nil {
		log.Fatal(err)
	}
}

func (example *Example) run() error {
	if err := example.subscribe(); err != nil {
		return fmt.Errorf("a webhook endpoint: %w", err)
	}
	defer example.client.WebhooksAPI.DeleteWebhookEndpoint(example.ctx, example.endpoint.Id).Execute()
	var cache ecg.ImageCache
	steps := []struct {
		what string
		do   func(*ecg.ImageCache) error
	}{
		{"created twice with one key, and there is one", example.create},
		{"waited until it was ready", example.wait},
		{"a change of an old version was refused with 412", example.changeOldVersion},
		{"mistakes were refused with 422, and each was named", example.mistake},
		{"hurried, was refused with 429, and waited", example.hurry},
		{"followed the feed to the event", example.follow},
		{"received and verified the webhook", example.receive},
		{"walked all pages of a list, and removed what was made here", example.remove},
	}
	for _, step := range steps {
		if err := step.do(&cache); err != nil {
			return fmt.Errorf("not %s: %w", step.what, err)
		}
		fmt.Println(step.what)
	}
	fmt.Printf("said all %d things\n", len(steps))
	return nil
}
