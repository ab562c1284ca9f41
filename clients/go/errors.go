package ecgclient

import (
	"errors"
	"fmt"
	"strings"

	"eci-cache-gateway.dev/client/ecg"
)

// ProblemError is what the gateway answers when it refuses or fails a request; decide by Code. An answer of something
// in between that is no problem has the code "not_a_problem". Find it with errors.As.
type ProblemError struct {
	Status    int
	Code      string
	Detail    string
	Hint      string
	RequestID string
	Retryable bool
	// Pointers name the fields that are invalid.
	Pointers []string
}

func (problem *ProblemError) Error() string {
	parts := []string{fmt.Sprintf("%d %s: %s", problem.Status, problem.Code, problem.Detail)}
	if problem.Hint != "" {
		parts = append(parts, problem.Hint)
	}
	return strings.Join(append(parts, problem.Pointers...), "; ") + " (request " + problem.RequestID + ")"
}

// NotReadyError tells that an image cache cannot become ready without another request.
type NotReadyError struct{ ImageCache ecg.ImageCache }

func (err *NotReadyError) Error() string {
	text := err.ImageCache.Id + " is " + err.ImageCache.Status
	if failure := err.ImageCache.Failure; failure != nil {
		text += fmt.Sprintf(": %s; %s; %s", failure.Cause, failure.Explanation, failure.Hint)
	}
	return text
}

// ErrSignature tells that a webhook is not to be trusted.
var ErrSignature = errors.New("the webhook is not to be trusted")
