package main

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"example/ecg"
)

// Receiver receives webhooks: it verifies each, answers the challenge of a new endpoint, and tells of what is ready.
type Receiver struct {
	Secret string
	Ready  chan ecg.ImageCache
}

// subscribe starts the receiver and creates its endpoint. The receiver has the secret before the gateway does, so that
// it can verify the challenge, too.
func (example *Example) subscribe() error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	key := make([]byte, 32)
	rand.Read(key)
	secret := "whsec_" + base64.StdEncoding.EncodeToString(key)
	example.receiver = &Receiver{Secret: secret, Ready: make(chan ecg.ImageCache, 100)}
	go http.Serve(listener, example.receiver)
	endpoint := *ecg.NewWebhookEndpointCreate(fmt.Sprintf("http://%s/webhooks", listener.Addr()))
	endpoint.SetSecret(secret)
	endpoint.SetEventTypes([]ecg.EventTypeName{ecg.EVENTTYPENAME_IMAGE_CACHE_READY, ecg.EVENTTYPENAME_IMAGE_CACHE_FAILED})
	example.endpoint, _, err = example.client.WebhooksAPI.CreateWebhookEndpoint(example.ctx).
		WebhookEndpointCreate(endpoint).
		Execute()
	return err
}

func (receiver *Receiver) ServeHTTP(writer http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(writer, request.Body, 1<<20))
	if err == nil {
		err = verify(receiver.Secret, request.Header, body, time.Now())
	}
	if err != nil {
		http.Error(writer, err.Error(), http.StatusUnauthorized)
		return
	}
	answer, err := receiver.handle(body)
	if err != nil {
		http.Error(writer, err.Error(), http.StatusBadRequest)
		return
	}
	fmt.Fprint(writer, answer)
}

// The type is read first: what a message has besides depends on it.
func (receiver *Receiver) handle(body []byte) (string, error) {
	var message struct {
		Type string
		Data struct{ Challenge string }
	}
	if err := json.Unmarshal(body, &message); err != nil {
		return "", err
	}
	switch message.Type {
	case "webhook_endpoint.challenge":
		return message.Data.Challenge, nil
	case "image_cache.ready":
		var event ecg.Event
		if err := json.Unmarshal(body, &event); err != nil {
			return "", err
		}
		receiver.Ready <- *event.Data.ImageCache
	}
	// Types that this program does not know are received, too: more are added with time.
	return "", nil
}

// verify checks a message as Standard Webhooks says (https://www.standardwebhooks.com). Whoever receives for long also
// remembers each webhook-id for four days, as a message may arrive twice.
func verify(secret string, header http.Header, body []byte, now time.Time) error {
	id, timestamp := header.Get("webhook-id"), header.Get("webhook-timestamp")
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || now.Sub(time.Unix(seconds, 0)).Abs() > 5*time.Minute {
		return errors.New("the timestamp is not of now")
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		return err
	}
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.%s", id, timestamp, body)
	wanted := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	// Several while a secret is rotated.
	for signature := range strings.FieldsSeq(header.Get("webhook-signature")) {
		if hmac.Equal([]byte(signature), []byte(wanted)) {
			return nil
		}
	}
	return errors.New("no signature of this secret")
}
