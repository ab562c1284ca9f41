package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"example/ecg"
)

const (
	name   = "example-go"
	region = "cn-hangzhou"
	image  = "registry.example.com/team/example-go:1"
)

// A request that is repeated with its key, for want of an answer, creates nothing again.
func (example *Example) create(cache *ecg.ImageCache) error {
	request := example.client.ImageCachesAPI.CreateImageCache(example.ctx).
		IdempotencyKey(rand.Text()).
		ImageCacheCreate(*ecg.NewImageCacheCreate(name, region, []string{image}))
	first, _, err := request.Execute()
	if err != nil {
		return err
	}
	again, _, err := request.Execute()
	if err != nil {
		return err
	}
	*cache = *first
	return demand(again.Id == first.Id, "two image caches")
}

// One call waits for at most 55 s. What it returns says whether to go on waiting, whatever the status is called.
func (example *Example) wait(cache *ecg.ImageCache) error {
	for {
		wait, _, err := example.client.ImageCachesAPI.WaitForImageCache(example.ctx, cache.Id).WaitSeconds(30).Execute()
		if err != nil {
			return err
		}
		if wait.Done {
			return demand(wait.ConditionMet, "it is "+wait.ImageCache.Status)
		}
	}
}

// `cache` is as the create returned it: it has become ready since.
func (example *Example) changeOldVersion(cache *ecg.ImageCache) error {
	update := *ecg.NewImageCacheUpdate()
	update.SetRetentionDays(30)
	_, _, err := example.client.ImageCachesAPI.UpdateImageCache(example.ctx, cache.Id).
		IfMatch(fmt.Sprintf("\"v%d\"", cache.Version)).
		ImageCacheUpdate(update).
		Execute()
	problem, err := problemOf(err)
	if err != nil {
		return err
	}
	return demand(problem.Status == http.StatusPreconditionFailed, problem.Detail)
}

func (example *Example) mistake(*ecg.ImageCache) error {
	wrong := *ecg.NewImageCacheCreate(name, region, []string{"registry.example.com/Team/App:1"})
	wrong.SetSizeGib(1)
	_, _, err := example.client.ImageCachesAPI.CreateImageCache(example.ctx).ImageCacheCreate(wrong).Execute()
	problem, err := problemOf(err)
	if err != nil {
		return err
	}
	var pointers []string
	for _, field := range problem.Errors {
		pointers = append(pointers, field.GetPointer())
	}
	return demand(slices.Equal(pointers, []string{"/images/0", "/size_gib"}), problem.Detail)
}

// A team may test its endpoints 30 times at once, and then once a second.
func (example *Example) hurry(*ecg.ImageCache) error {
	for example.retrying.Refused == 0 {
		test, _, err := example.client.WebhooksAPI.TestWebhookEndpoint(example.ctx, example.endpoint.Id).Execute()
		if err != nil {
			return err
		}
		if err := demand(test.Outcome == "delivered", test.GetExplanation()); err != nil {
			return err
		}
	}
	return nil
}

// The feed has no gaps: keep its cursor and go on from there.
func (example *Example) follow(cache *ecg.ImageCache) error {
	request := example.client.EventsAPI.ListEvents(example.ctx).ImageCacheId(cache.Id).WaitSeconds(30).Limit(1)
	for {
		page, _, err := request.Execute()
		if err != nil {
			return err
		}
		for _, event := range page.Items {
			if event.Type == "image_cache.ready" {
				return demand(event.Data.ImageCache.Id == cache.Id, "an event of another image cache")
			}
		}
		request = request.Cursor(page.NextCursor)
	}
}

func (example *Example) receive(cache *ecg.ImageCache) error {
	for {
		select {
		case ready := <-example.receiver.Ready:
			if ready.Id == cache.Id {
				return demand(ready.GetEciCacheId() != "", "ready without an id of the cloud")
			}
		case <-example.ctx.Done():
			return example.ctx.Err()
		}
	}
}

func (example *Example) remove(cache *ecg.ImageCache) error {
	made := map[string]bool{cache.Id: true}
	for range 2 {
		var another ecg.ImageCache
		if err := example.create(&another); err != nil {
			return err
		}
		made[another.Id] = true
	}
	request := example.client.ImageCachesAPI.ListImageCaches(example.ctx).Name(name).Limit(2)
	for {
		page, _, err := request.Execute()
		if err != nil {
			return err
		}
		for _, item := range page.Items {
			if !made[item.Id] {
				continue
			}
			if _, _, err := example.client.ImageCachesAPI.DeleteImageCache(example.ctx, item.Id).Execute(); err != nil {
				return err
			}
			delete(made, item.Id)
		}
		if !page.HasMore {
			return demand(len(made) == 0, "an image cache is on no page")
		}
		request = request.Cursor(page.GetNextCursor())
	}
}

// problemOf gives what a refused call was answered: every refusal of the gateway is a Problem.
func problemOf(err error) (ecg.Problem, error) {
	var refused *ecg.GenericOpenAPIError
	if errors.As(err, &refused) {
		if problem, ok := refused.Model().(ecg.Problem); ok {
			return problem, nil
		}
	}
	return ecg.Problem{}, fmt.Errorf("not refused: %w", err)
}

func demand(holds bool, otherwise string) error {
	if holds {
		return nil
	}
	return errors.New(otherwise)
}
