package ecgclient

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	mrand "math/rand/v2"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const answerTime = 30 * time.Second

type pollKey struct{}

// transport repeats what is safe to repeat, and returns a ProblemError for what the gateway refuses.
type transport struct {
	base     http.RoundTripper
	token    func(context.Context) (string, error)
	attempts int
	retryFor time.Duration
}

// RoundTrip sends a request as often as it takes. The request is not changed: each attempt has its own.
func (transport *transport) RoundTrip(request *http.Request) (*http.Response, error) {
	body, err := bodyOf(request)
	if err != nil {
		return nil, err
	}
	header := request.Header.Clone()
	if (request.Method == "POST" || request.Method == "PATCH") && header.Get("Idempotency-Key") == "" {
		header.Set("Idempotency-Key", rand.Text())
	}
	polled := request.Context().Value(pollKey{}) != nil
	deadline := time.Now().Add(transport.retryFor)
	for attempt := 1; ; attempt++ {
		longest := min(8*time.Second, 250*time.Millisecond<<min(attempt, 9))
		backoff := time.Duration((0.5 + mrand.Float64()/2) * float64(longest))
		response, pause, failed := transport.attempt(request, header, body, backoff)
		if failed == nil {
			return response, nil
		}
		if pause < 0 || request.Context().Err() != nil {
			return nil, failed
		}
		if !polled && (attempt >= transport.attempts || time.Now().Add(pause).After(deadline)) {
			return nil, failed
		}
		if until, ok := request.Context().Deadline(); ok && time.Now().Add(pause).After(until) {
			return nil, errors.Join(context.DeadlineExceeded, failed)
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-request.Context().Done():
			timer.Stop()
			return nil, errors.Join(request.Context().Err(), failed)
		}
	}
}

// attempt returns the answer, or the error and after how long to repeat; below zero for never.
func (transport *transport) attempt(
	request *http.Request, header http.Header, body []byte, backoff time.Duration,
) (*http.Response, time.Duration, error) {
	ctx, cancel := context.WithTimeout(request.Context(), patience(request))
	once := request.Clone(ctx)
	once.Header = header.Clone()
	if body != nil {
		once.Body = io.NopCloser(bytes.NewReader(body))
		once.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
		once.ContentLength = int64(len(body))
	}
	if transport.token != nil {
		token, err := transport.token(request.Context())
		if err != nil {
			cancel()
			return nil, -1, err
		}
		once.Header.Set("Authorization", "Bearer "+token)
	}
	safe := isSafe(request)
	never := time.Duration(-1)
	response, err := transport.base.RoundTrip(once)
	if err == nil && response.StatusCode < 400 && !strings.Contains(response.Header.Get("Content-Type"), "json") {
		// A stream has no limit but the caller's.
		if response.ContentLength != 0 {
			response.Body = &closing{response.Body, cancel}
			return response, 0, nil
		}
	}
	defer cancel()
	var content []byte
	if err == nil {
		// Read whole, so that a cut is an error here.
		content, err = io.ReadAll(response.Body)
		response.Body.Close()
	}
	if err != nil {
		if safe || isUnsent(err) {
			return nil, backoff, err
		}
		return nil, never, err
	}
	if response.StatusCode < 400 {
		response.Body = io.NopCloser(bytes.NewReader(content))
		return response, 0, nil
	}
	problem, stated := problemOf(response.StatusCode, content)
	if !mayRepeat(safe, problem, stated) {
		return nil, never, problem
	}
	if asked, ok := RetryAfter(response.Header.Get("Retry-After"), time.Now()); ok {
		backoff = asked + mrand.N(250*time.Millisecond)
	}
	return nil, backoff, problem
}

// RetryAfter reads the header, which is a number of seconds or a date.
func RetryAfter(value string, now time.Time) (time.Duration, bool) {
	value = strings.TrimSpace(value)
	if regexp.MustCompile(`^[0-9]{1,9}$`).MatchString(value) {
		seconds, _ := strconv.Atoi(value)
		return time.Duration(seconds) * time.Second, true
	}
	if date, err := http.ParseTime(value); err == nil {
		return max(0, date.Sub(now)), true
	}
	return 0, false
}

func mayRepeat(safe bool, problem *ProblemError, stated bool) bool {
	if stated && !problem.Retryable {
		return false
	}
	switch problem.Status {
	case http.StatusTooManyRequests:
		return true
	case http.StatusServiceUnavailable:
		// With a problem the gateway says that it did nothing; without, something in between gave up on it.
		return stated || safe
	case http.StatusBadGateway, http.StatusGatewayTimeout:
		return safe
	}
	return false
}

func isSafe(request *http.Request) bool {
	switch request.Method {
	case "GET", "HEAD", "OPTIONS", "PUT", "DELETE", "":
		return true
	}
	for _, pattern := range keyed {
		if pattern.MatchString(request.Method + " " + request.URL.Path) {
			return true
		}
	}
	return false
}

// isUnsent says whether the connection was never made.
func isUnsent(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

func patience(request *http.Request) time.Duration {
	wait := request.URL.Query().Get("wait_seconds")
	if wait == "" && strings.HasSuffix(request.URL.Path, "/wait") {
		wait = "30"
	}
	if found := regexp.MustCompile(`wait=(\d+)`).FindStringSubmatch(request.Header.Get("Prefer")); found != nil {
		wait = found[1]
	}
	seconds, _ := strconv.Atoi(wait)
	return answerTime + time.Duration(min(max(seconds, 0), 55))*time.Second
}

func bodyOf(request *http.Request) ([]byte, error) {
	if request.Body == nil || request.Body == http.NoBody {
		return nil, nil
	}
	defer request.Body.Close()
	return io.ReadAll(request.Body)
}

// problemOf also says whether it was stated whether to repeat: proxies answer in their own words.
func problemOf(status int, content []byte) (*ProblemError, bool) {
	var told struct {
		Code, Detail, Hint string
		RequestID          string `json:"request_id"`
		Retryable          *bool
		Errors             []struct{ Pointer string }
	}
	problem := &ProblemError{Status: status, Code: "not_a_problem"}
	if json.Unmarshal(content, &told) != nil || told.Code == "" {
		return problem, false
	}
	problem.Code, problem.Detail, problem.Hint, problem.RequestID = told.Code, told.Detail, told.Hint, told.RequestID
	problem.Retryable = told.Retryable != nil && *told.Retryable
	for _, field := range told.Errors {
		if field.Pointer != "" {
			problem.Pointers = append(problem.Pointers, field.Pointer)
		}
	}
	return problem, told.Retryable != nil
}

// closing ends the attempt's context with its body.
type closing struct {
	io.ReadCloser
	cancel context.CancelFunc
}

func (body *closing) Close() error {
	defer body.cancel()
	return body.ReadCloser.Close()
}
