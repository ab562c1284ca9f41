package ecgclient

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"
)

// Subject gives the job's own token, to be exchanged for one of the gateway.
type Subject func(context.Context) (string, error)

// GitHubToken is the id token of a job of GitHub Actions (`permissions: id-token: write`).
func GitHubToken(ctx context.Context) (string, error) {
	address, err := url.Parse(os.Getenv("ACTIONS_ID_TOKEN_REQUEST_URL"))
	if err != nil {
		return "", err
	}
	query := address.Query()
	query.Set("audience", "eci-cache-gateway")
	address.RawQuery = query.Encode()
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), nil)
	if err != nil {
		return "", err
	}
	request.Header.Set("Authorization", "Bearer "+os.Getenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN"))
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("GitHub gave no id token: %s", response.Status)
	}
	var answer struct{ Value string }
	err = json.NewDecoder(response.Body).Decode(&answer)
	return answer.Value, err
}

// subjectOfEnvironment is GitHub's, or GitLab's `id_tokens` as ECG_SUBJECT_TOKEN; nil where there is neither.
func subjectOfEnvironment() Subject {
	if os.Getenv("ACTIONS_ID_TOKEN_REQUEST_URL") != "" && os.Getenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN") != "" {
		return GitHubToken
	}
	if os.Getenv("ECG_SUBJECT_TOKEN") == "" {
		return nil
	}
	return func(context.Context) (string, error) { return os.Getenv("ECG_SUBJECT_TOKEN"), nil }
}

// exchanged exchanges tokens, one at a time, and renews them before they expire.
type exchanged struct {
	http    *http.Client
	url     string
	team    string
	subject Subject

	lock  sync.Mutex
	token string
	until time.Time
}

func (exchanged *exchanged) get(ctx context.Context) (string, error) {
	exchanged.lock.Lock()
	defer exchanged.lock.Unlock()
	if exchanged.token != "" && time.Now().Before(exchanged.until) {
		return exchanged.token, nil
	}
	subject, err := exchanged.subject(ctx)
	if err != nil {
		return "", err
	}
	form := url.Values{
		"grant_type":         {"urn:ietf:params:oauth:grant-type:token-exchange"},
		"subject_token_type": {"urn:ietf:params:oauth:token-type:jwt"},
		"subject_token":      {subject},
	}
	if exchanged.team != "" {
		form.Set("team", exchanged.team)
	}
	asked := time.Now()
	request, err := http.NewRequestWithContext(
		ctx, http.MethodPost, exchanged.url+"/v1/token-exchange", strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := exchanged.http.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	var issued struct {
		AccessToken string  `json:"access_token"`
		ExpiresIn   float64 `json:"expires_in"`
	}
	if err := json.NewDecoder(response.Body).Decode(&issued); err != nil {
		return "", err
	}
	// By how long it lives and not when it ends: this machine's clock may be wrong.
	life := max(issued.ExpiresIn/2, issued.ExpiresIn-120)
	exchanged.until = asked.Add(time.Duration(life * float64(time.Second)))
	exchanged.token = issued.AccessToken
	return exchanged.token, nil
}
