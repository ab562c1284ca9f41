package main

import (
	"net/http"
	"strconv"
	"time"
)

// Retrying repeats what was refused with 429, after the time that the answer asks for.
type Retrying struct {
	Next    http.RoundTripper
	Refused int
}

func (retrying *Retrying) RoundTrip(request *http.Request) (*http.Response, error) {
	for {
		response, err := retrying.Next.RoundTrip(request)
		if err != nil || response.StatusCode != http.StatusTooManyRequests {
			return response, err
		}
		retrying.Refused++
		seconds, err := strconv.Atoi(response.Header.Get("Retry-After"))
		if err != nil {
			return response, nil
		}
		response.Body.Close()
		select {
		case <-request.Context().Done():
			return nil, request.Context().Err()
		case <-time.After(time.Duration(seconds) * time.Second):
		}
		if request.GetBody != nil {
			request = request.Clone(request.Context())
			if request.Body, err = request.GetBody(); err != nil {
				return nil, err
			}
		}
	}
}
