// Package ecgclient is a client of eci-cache-gateway, made from the environment, over the generated package ecg.
package ecgclient

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"eci-cache-gateway.dev/client/ecg"
)

const pollTime = 50 * time.Second

// Options are all optional.
type Options struct {
	// URL is ECG_URL by default.
	URL string
	// Token is ECG_TOKEN by default; without one, that of the job in GitHub Actions or GitLab CI is exchanged.
	Token string
	// Subject is another source of tokens to exchange.
	Subject Subject
	Team    string
	// Attempts of one request, 6 by default, and no waiting past RetryFor, 60 s by default.
	Attempts int
	RetryFor time.Duration
	// Transport carries the requests; http.DefaultTransport by default, which heeds the proxies of the environment.
	Transport http.RoundTripper
}

// Gateway is a gateway, as one caller sees it. Goroutines may share it.
type Gateway struct {
	// API has each operation: gateway.API.ImageCachesAPI.ListImageCaches(ctx).
	API  *ecg.APIClient
	url  string
	http *http.Client
	team string
}

// New makes a client from the environment, and from options where these say otherwise.
func New(options Options) (*Gateway, error) {
	address := strings.TrimRight(first(options.URL, os.Getenv("ECG_URL")), "/")
	if address == "" {
		return nil, errors.New("ECG_URL is not set: the address of the gateway")
	}
	if options.Attempts == 0 {
		options.Attempts = 6
	}
	if options.RetryFor == 0 {
		options.RetryFor = time.Minute
	}
	if options.Transport == nil {
		options.Transport = http.DefaultTransport
	}
	token, err := source(options, address)
	if err != nil {
		return nil, err
	}
	client := withoutRedirects(&transport{options.Transport, token, options.Attempts, options.RetryFor})
	settings := ecg.NewConfiguration()
	settings.Servers = ecg.ServerConfigurations{{URL: address}}
	settings.HTTPClient = client
	settings.UserAgent = "eci-cache-gateway-go/0.1.0"
	if options.Team != "" {
		settings.AddDefaultHeader("X-Team", options.Team)
	}
	return &Gateway{ecg.NewAPIClient(settings), address, client, options.Team}, nil
}

// None of this API redirects, and the token is for this host.
func withoutRedirects(transport http.RoundTripper) *http.Client {
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &http.Client{Transport: transport, CheckRedirect: stay}
}

func source(options Options, address string) (func(context.Context) (string, error), error) {
	if options.Subject == nil {
		if token := first(options.Token, os.Getenv("ECG_TOKEN")); token != "" {
			return func(context.Context) (string, error) { return token, nil }, nil
		}
		options.Subject = subjectOfEnvironment()
	}
	if options.Subject == nil {
		return nil, errors.New("ECG_TOKEN is not set, and this is no job with an id token")
	}
	open := withoutRedirects(&transport{options.Transport, nil, options.Attempts, options.RetryFor})
	return (&exchanged{http: open, url: address, team: options.Team, subject: options.Subject}).get, nil
}

// Pages iterates over all items of a list. `page` asks for the page at a cursor, "" for the first, and returns its
// items and the next cursor, "" at the end.
func Pages[T any](page func(cursor string) (items []T, next string, err error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		seen := map[string]bool{}
		for cursor := ""; ; {
			items, next, err := page(cursor)
			if err != nil {
				yield(none, err)
				return
			}
			for _, item := range items {
				if !yield(item, nil) {
					return
				}
			}
			if next == "" {
				return
			}
			if seen[next] {
				yield(none, errors.New("the list does not advance: the same cursor again"))
				return
			}
			seen[next] = true
			cursor = next
		}
	}
}

// WaitUntilReady returns the image cache once it is ready, and a NotReadyError as soon as it cannot become so. Restarts
// and cuts of the gateway are waited out, until ctx ends.
func (gateway *Gateway) WaitUntilReady(ctx context.Context, id string) (*ecg.ImageCache, error) {
	for {
		var wait ecg.ImageCacheWait
		path := "/v1/image-caches/" + url.PathEscape(id) + "/wait"
		if err := gateway.poll(ctx, path, url.Values{"wait_seconds": {pollSeconds(ctx)}}, &wait); err != nil {
			return nil, err
		}
		switch {
		case wait.Done && wait.ConditionMet:
			return &wait.ImageCache, nil
		case wait.Done:
			return nil, &NotReadyError{wait.ImageCache}
		case ctx.Err() != nil:
			return nil, ctx.Err()
		}
	}
}

// Position is an event, and the cursor after it: keep it, and go on from there.
type Position struct {
	Event  ecg.Event
	Cursor string
}

// Events iterates over the feed from after `cursor`, the oldest that is kept for "", until ctx ends. `filter` has the
// parameters `type` and `image_cache_id`.
func (gateway *Gateway) Events(ctx context.Context, cursor string, filter url.Values) iter.Seq2[Position, error] {
	return func(yield func(Position, error) bool) {
		for {
			// One event each, so that each has its cursor.
			query := url.Values{"limit": {"1"}, "wait_seconds": {pollSeconds(ctx)}}
			for name, values := range filter {
				query[name] = values
			}
			if cursor != "" {
				query.Set("cursor", cursor)
			}
			var page ecg.EventList
			if err := gateway.poll(ctx, "/v1/events", query, &page); err != nil {
				yield(Position{Cursor: cursor}, err)
				return
			}
			cursor = page.NextCursor
			for _, event := range page.Items {
				if !yield(Position{event, cursor}, nil) {
					return
				}
			}
		}
	}
}

// poll asks until ctx ends, which is longer than for other requests.
func (gateway *Gateway) poll(ctx context.Context, path string, query url.Values, into any) error {
	ctx = context.WithValue(ctx, pollKey{}, true)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, gateway.url+path+"?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	if gateway.team != "" {
		request.Header.Set("X-Team", gateway.team)
	}
	response, err := gateway.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	return json.NewDecoder(response.Body).Decode(into)
}

func pollSeconds(ctx context.Context) string {
	wait := pollTime
	if until, ok := ctx.Deadline(); ok {
		wait = max(0, min(wait, time.Until(until)))
	}
	return strconv.Itoa(int(wait.Seconds()))
}

func first(one, other string) string {
	if one != "" {
		return one
	}
	return other
}
