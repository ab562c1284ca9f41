import ecg.ApiClient;
import ecg.ApiException;
import ecg.api.EventsApi;
import ecg.api.EventsApi.APIListEventsRequest;
import ecg.api.ImageCachesApi;
import ecg.api.ImageCachesApi.APICreateImageCacheRequest;
import ecg.api.ImageCachesApi.APIDeleteImageCacheRequest;
import ecg.api.ImageCachesApi.APIListImageCachesRequest;
import ecg.api.ImageCachesApi.APIUpdateImageCacheRequest;
import ecg.api.ImageCachesApi.APIWaitForImageCacheRequest;
import ecg.api.WebhooksApi;
import ecg.api.WebhooksApi.APICreateWebhookEndpointRequest;
import ecg.api.WebhooksApi.APIDeleteWebhookEndpointRequest;
import ecg.api.WebhooksApi.APITestWebhookEndpointRequest;
import ecg.model.EventTypeName;
import ecg.model.ImageCache;
import ecg.model.ImageCacheCreate;
import ecg.model.ImageCacheUpdate;
import ecg.model.Problem;
import ecg.model.ProblemField;
import ecg.model.WebhookEndpoint;
import ecg.model.WebhookEndpointCreate;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.TimeUnit;

/**
 * A program over the client that openapi-generator makes for Java, against a running gateway: ECG_URL and ECG_TOKEN say
 * which. Package ecg is generated; the rest is Java's own, and Jackson, which the client needs.
 */
final class Example {
    private static final String NAME = "example-java";
    private static final String REGION = "cn-hangzhou";
    private static final String IMAGE = "registry.example.com/team/example-java:1";

    private final ApiClient client = new ApiClient();
    private final Retrying retrying = new Retrying();
    private final Receiver receiver = new Receiver(client.getObjectMapper());
    private final ImageCachesApi caches;
    private final EventsApi events;
    private final WebhooksApi webhooks;

    private Example(String url, String token) throws Exception {
        client.updateBaseUri(url);
        client.setRequestInterceptor(request -> request.setHeader("Authorization", "Bearer " + token));
        caches = new ImageCachesApi(client);
        events = new EventsApi(client);
        webhooks = new WebhooksApi(client);
    }

    public static void main(String[] arguments) throws Exception {
        var example = new Example(System.getenv("ECG_URL"), System.getenv("ECG_TOKEN"));
        try (example.receiver) {
            example.run();
        }
    }

    private void run() throws Exception {
        var endpoint = subscribe();
        var cache = createTwiceWithOneKey();
        waitUntilReady(cache);
        changeAnOldVersion(cache);
        makeMistakes();
        hurry(endpoint);
        followTheFeed(cache);
        receiveTheWebhook(cache);
        walkAllPagesAndRemove(cache);
        var last = APIDeleteWebhookEndpointRequest.newBuilder().webhookEndpointId(endpoint.getId()).build();
        retrying.call(() -> {
            webhooks.deleteWebhookEndpoint(last);
            return null;
        });
        System.out.println("said all 8 things");
    }

    private WebhookEndpoint subscribe() throws Exception {
        var endpoint = new WebhookEndpointCreate()
            .url(receiver.url())
            .secret(receiver.secret)
            .eventTypes(List.of(EventTypeName.IMAGE_CACHE_READY, EventTypeName.IMAGE_CACHE_FAILED));
        var request = APICreateWebhookEndpointRequest.newBuilder().webhookEndpointCreate(endpoint).build();
        return retrying.call(() -> webhooks.createWebhookEndpoint(request));
    }

    /** A request that is repeated with its key, for want of an answer, creates nothing again. */
    private ImageCache createTwiceWithOneKey() throws Exception {
        var request = APICreateImageCacheRequest.newBuilder()
            .imageCacheCreate(new ImageCacheCreate().name(NAME).region(REGION).images(List.of(IMAGE)))
            .idempotencyKey(UUID.randomUUID().toString())
            .build();
        var first = retrying.call(() -> caches.createImageCache(request));
        var again = retrying.call(() -> caches.createImageCache(request));
        demand(first.getId().equals(again.getId()), "two image caches");
        return first;
    }

    /** One call waits for at most 55 s. What it returns says whether to go on, whatever the status is called. */
    private void waitUntilReady(ImageCache cache) throws Exception {
        var request = APIWaitForImageCacheRequest.newBuilder().imageCacheId(cache.getId()).waitSeconds(30).build();
        while (true) {
            var waited = retrying.call(() -> caches.waitForImageCache(request));
            if (waited.getDone()) {
                demand(waited.getConditionMet(), "it is " + waited.getImageCache().getStatus());
                return;
            }
        }
    }

    /** `cache` is as the create returned it: it has become ready since. */
    private void changeAnOldVersion(ImageCache cache) throws Exception {
        var request = APIUpdateImageCacheRequest.newBuilder()
            .imageCacheId(cache.getId())
            .imageCacheUpdate(new ImageCacheUpdate().retentionDays(30))
            .ifMatch("\"v" + cache.getVersion() + "\"")
            .build();
        var problem = problemOf(() -> caches.updateImageCache(request));
        demand(problem.getStatus() == 412, problem.getDetail());
    }

    private void makeMistakes() throws Exception {
        var wrong = new ImageCacheCreate()
            .name(NAME)
            .region(REGION)
            .images(List.of("registry.example.com/Team/App:1"))
            .sizeGib(1);
        var request = APICreateImageCacheRequest.newBuilder().imageCacheCreate(wrong).build();
        var problem = problemOf(() -> caches.createImageCache(request));
        var pointers = problem.getErrors().stream().map(ProblemField::getPointer).toList();
        demand(problem.getStatus() == 422 && pointers.equals(List.of("/images/0", "/size_gib")), problem.getDetail());
    }

    /** A team may test its endpoints 30 times at once, and then once a second. */
    private void hurry(WebhookEndpoint endpoint) throws Exception {
        var request = APITestWebhookEndpointRequest.newBuilder().webhookEndpointId(endpoint.getId()).build();
        while (retrying.refused == 0) {
            var test = retrying.call(() -> webhooks.testWebhookEndpoint(request));
            demand(test.getOutcome().equals("delivered"), test.getExplanation());
        }
    }

    /** The feed has no gaps: keep its cursor and go on from there. */
    private void followTheFeed(ImageCache cache) throws Exception {
        var query = APIListEventsRequest.newBuilder().imageCacheId(cache.getId()).waitSeconds(30).limit(1);
        while (true) {
            var request = query.build();
            var page = retrying.call(() -> events.listEvents(request));
            for (var event : page.getItems()) {
                if (event.getType().equals("image_cache.ready")) {
                    demand(event.getData().getImageCache().getId().equals(cache.getId()), "of another image cache");
                    return;
                }
            }
            query.cursor(page.getNextCursor());
        }
    }

    private void receiveTheWebhook(ImageCache cache) throws Exception {
        while (true) {
            var ready = receiver.ready.poll(60, TimeUnit.SECONDS);
            demand(ready != null, "no webhook in a minute");
            if (ready.getId().equals(cache.getId())) {
                demand(ready.getEciCacheId() != null, "ready without an id of the cloud");
                return;
            }
        }
    }

    private void walkAllPagesAndRemove(ImageCache cache) throws Exception {
        Set<String> made = new HashSet<>();
        made.add(cache.getId());
        made.add(createTwiceWithOneKey().getId());
        made.add(createTwiceWithOneKey().getId());
        var query = APIListImageCachesRequest.newBuilder().name(NAME).limit(2);
        while (true) {
            var request = query.build();
            var page = retrying.call(() -> caches.listImageCaches(request));
            for (var item : page.getItems()) {
                if (made.remove(item.getId())) {
                    var removal = APIDeleteImageCacheRequest.newBuilder().imageCacheId(item.getId()).build();
                    retrying.call(() -> caches.deleteImageCache(removal));
                }
            }
            if (!page.getHasMore()) {
                break;
            }
            query.cursor(page.getNextCursor());
        }
        demand(made.isEmpty(), "on no page: " + made);
    }

    /** What a refused call was answered: every refusal of the gateway is a Problem. */
    private Problem problemOf(Retrying.Call<?> call) throws Exception {
        try {
            retrying.call(call);
        } catch (ApiException refusal) {
            return client.getObjectMapper().readValue(refusal.getResponseBody(), Problem.class);
        }
        throw new IllegalStateException("it was not refused");
    }

    private static void demand(boolean holds, String otherwise) {
        if (!holds) {
            throw new IllegalStateException(otherwise);
        }
    }
}
