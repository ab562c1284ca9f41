package ecgclient

// Through faults.py, and the signatures. Laid beside the package by tests/packages/run.

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"eci-cache-gateway.dev/client/ecg"
)

func must(t *testing.T, holds bool, otherwise ...any) {
	t.Helper()
	if !holds {
		t.Fatal(otherwise...)
	}
}

func TestSignatures(t *testing.T) {
	body := []byte(`{"type":"webhook_endpoint.challenge","data":{"challenge":"c"}}`)
	key, now := []byte(strings.Repeat("k", 32)), time.Unix(1_800_000_000, 0)
	secret := "whsec_" + base64.StdEncoding.EncodeToString(key)
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "m.1800000000.%s", body)
	made := base64.StdEncoding.EncodeToString(mac.Sum(nil))
	header := func(id, timestamp, signature string) http.Header {
		header := http.Header{}
		header.Set("webhook-id", id)
		header.Set("webhook-timestamp", timestamp)
		header.Set("webhook-signature", signature)
		return header
	}
	good := header("m", "1800000000", "v1a,x v1,AAAA v1,"+made)
	event, err := Receive([]string{secret}, good, body, now)
	challenge, ok := event.(*Challenge)
	must(t, err == nil && ok && challenge.Challenge == "c", err)
	for _, bad := range []struct {
		header http.Header
		body   []byte
		at     time.Time
	}{
		{good, append(body, ' '), now}, {good, body, now.Add(301 * time.Second)}, {good, body, now.Add(-301 * time.Second)},
		{http.Header{}, body, now}, {header("n", "1800000000", "v1,"+made), body, now},
		{header("m", "NaN", "v1,"+made), body, now}, {header("m", "1800000000", "v2,"+made), body, now},
	} {
		must(t, errors.Is(Verify([]string{secret}, bad.header, bad.body, bad.at), ErrSignature), bad)
	}
}

func TestStrangers(t *testing.T) {
	after, ok := RetryAfter("Wed, 21 Oct 2015 07:28:05 GMT", time.Unix(1445412480, 0))
	must(t, ok && after == 5*time.Second, after)
	for _, text := range []string{"-1", "+5", "x", ""} {
		_, ok := RetryAfter(text, time.Now())
		must(t, !ok, text)
	}
	seen := 0
	for _, err := range Pages(func(string) ([]int, string, error) { return []int{1}, "a", nil }) {
		if err != nil {
			seen++
		}
	}
	must(t, seen == 1, "the loop of pages is not told")
	nowhere, err := New(Options{URL: "http://127.0.0.1:1", Token: "token-that-nobody-sees"})
	must(t, err == nil, err)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = nowhere.WaitUntilReady(ctx, "ic_1")
	must(t, errors.Is(err, context.Canceled) && !strings.Contains(fmt.Sprintf("%+v", err), "nobody-sees"), err)
}

func TestFaults(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	gateway, err := New(Options{})
	must(t, err == nil, err)
	for _, path := range []string{"/v1/me", "/v1/policy"} {
		response, err := gateway.http.Get(gateway.url + path)
		must(t, err == nil && response.StatusCode == 200, err)
	}
	name := fmt.Sprint("package-go-", time.Now().UnixNano())
	wanted := *ecg.NewImageCacheCreate(name, "cn-hangzhou", []string{"registry.example.com/team/go:1"})
	cache, _, err := gateway.API.ImageCachesAPI.CreateImageCache(ctx).ImageCacheCreate(wanted).Execute()
	must(t, err == nil, err)
	count := 0
	for item, err := range Pages(func(cursor string) ([]ecg.ImageCache, string, error) {
		request := gateway.API.ImageCachesAPI.ListImageCaches(ctx).Name(name).Limit(1)
		if cursor != "" {
			request = request.Cursor(cursor)
		}
		page, _, err := request.Execute()
		if err != nil {
			return nil, "", err
		}
		return page.Items, page.GetNextCursor(), nil
	}) {
		must(t, err == nil && item.Id == cache.Id, err)
		count++
	}
	must(t, count == 1, "made twice")
	ready, err := gateway.WaitUntilReady(ctx, cache.Id)
	must(t, err == nil && ready.Id == cache.Id, err)
	_, err = gateway.WaitUntilReady(ctx, cache.Id+"~failed")
	var failed *NotReadyError
	must(t, errors.As(err, &failed) && failed.ImageCache.Failure.Hint == "log in", err)
	var cursors []string
	filter := url.Values{"image_cache_id": {cache.Id}}
	for at, err := range gateway.Events(ctx, "", filter) {
		must(t, err == nil, err)
		cursors = append(cursors, at.Cursor)
		if at.Event.Type == "image_cache.ready" {
			break
		}
	}
	must(t, len(cursors) == 2, cursors)
	for at, err := range gateway.Events(ctx, cursors[0], filter) {
		must(t, err == nil && at.Event.Type == "image_cache.ready", err)
		break
	}
	wrong := *ecg.NewImageCacheCreate(name, "cn-hangzhou", []string{"registry.example.com/Team/App:1"})
	_, _, err = gateway.API.ImageCachesAPI.CreateImageCache(ctx).ImageCacheCreate(wrong).Execute()
	var problem *ProblemError
	must(t, errors.As(err, &problem) && len(problem.Pointers) == 1 && problem.RequestID != "", err)
	response, err := http.Get(os.Getenv("ECG_URL") + "/faults")
	must(t, err == nil, err)
	left, _ := io.ReadAll(response.Body)
	must(t, string(left) == "[]", string(left))
}
