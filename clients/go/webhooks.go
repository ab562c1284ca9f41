package ecgclient

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"eci-cache-gateway.dev/client/ecg"
)

const tolerance = 5 * time.Minute

// Challenge is the question to a new endpoint: answer 200 with it as the body.
type Challenge struct{ Challenge string }

// Verify checks that the bytes of body were signed with one of the secrets (`whsec_…`) within five minutes of now, as
// https://www.standardwebhooks.com says. The same message may arrive twice: remember each webhook-id for four days.
func Verify(secrets []string, header http.Header, body []byte, now time.Time) error {
	id, timestamp := header.Get("webhook-id"), header.Get("webhook-timestamp")
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if id == "" || err != nil || len(timestamp) > 12 {
		return fmt.Errorf("%w: webhook-id or webhook-timestamp is missing or malformed", ErrSignature)
	}
	if now.Sub(time.Unix(seconds, 0)).Abs() > tolerance {
		return fmt.Errorf("%w: webhook-timestamp is not within five minutes of now", ErrSignature)
	}
	found := false
	for _, secret := range secrets {
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(strings.TrimSpace(secret), "whsec_"))
		if err != nil {
			return fmt.Errorf("the secret is not whsec_ and base64")
		}
		mac := hmac.New(sha256.New, key)
		fmt.Fprintf(mac, "%s.%s.%s", id, timestamp, body)
		wanted := []byte("v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)))
		for _, value := range header.Values("webhook-signature") {
			for signature := range strings.FieldsSeq(value) {
				found = hmac.Equal([]byte(signature), wanted) || found
			}
		}
	}
	if !found {
		return fmt.Errorf("%w: no signature is by this secret", ErrSignature)
	}
	return nil
}

// Receive verifies, and gives the event by its type: *ImageCacheReadyEvent and the others, *Challenge, or *ecg.Event
// for a type of a later version.
func Receive(secrets []string, header http.Header, body []byte, now time.Time) (any, error) {
	if err := Verify(secrets, header, body, now); err != nil {
		return nil, err
	}
	var message struct {
		Type string
		Data struct{ Challenge string }
	}
	if err := json.Unmarshal(body, &message); err != nil {
		return nil, err
	}
	if message.Type == "webhook_endpoint.challenge" {
		return &Challenge{message.Data.Challenge}, nil
	}
	var event ecg.Event
	if err := json.Unmarshal(body, &event); err != nil {
		return nil, err
	}
	return typed(event), nil
}
