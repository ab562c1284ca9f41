import com.fasterxml.jackson.databind.ObjectMapper;
import com.sun.net.httpserver.Headers;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import ecg.model.Event;
import ecg.model.ImageCache;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;
import java.util.Base64;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/** Receives webhooks: verifies each, answers the challenge of a new endpoint, and keeps what is ready. */
final class Receiver implements AutoCloseable {
    final String secret;
    final BlockingQueue<ImageCache> ready = new LinkedBlockingQueue<>();
    private final ObjectMapper json;
    private final HttpServer server;
    private final byte[] key = new byte[32];

    /** It has the secret before the gateway does, so that it can verify the challenge, too. */
    Receiver(ObjectMapper json) throws IOException {
        this.json = json;
        new SecureRandom().nextBytes(key);
        secret = "whsec_" + Base64.getEncoder().encodeToString(key);
        server = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
        server.createContext("/webhooks", this::answer);
        server.start();
    }

    String url() {
        return "http://127.0.0.1:" + server.getAddress().getPort() + "/webhooks";
    }

    @Override
    public void close() {
        server.stop(0);
    }

    private void answer(HttpExchange exchange) throws IOException {
        try (exchange) {
            byte[] body = exchange.getRequestBody().readNBytes(1 << 20);
            if (!isSigned(exchange.getRequestHeaders(), body, Instant.now())) {
                exchange.sendResponseHeaders(401, -1);
                return;
            }
            byte[] text = handle(body).getBytes();
            exchange.sendResponseHeaders(200, text.length == 0 ? -1 : text.length);
            exchange.getResponseBody().write(text);
        }
    }

    /** The type is read first: what a message has besides depends on it. */
    private String handle(byte[] body) throws IOException {
        var message = json.readTree(body);
        switch (message.path("type").asText()) {
            case "webhook_endpoint.challenge":
                return message.path("data").path("challenge").asText();
            case "image_cache.ready":
                ready.add(json.readValue(body, Event.class).getData().getImageCache());
                return "";
            default:
                // Types that this program does not know are received, too: more are added with time.
                return "";
        }
    }

    /**
     * As Standard Webhooks says (https://www.standardwebhooks.com). Whoever receives for long also remembers each
     * webhook-id for four days, as a message may arrive twice.
     */
    private boolean isSigned(Headers headers, byte[] body, Instant now) {
        String id = headers.getFirst("webhook-id");
        String timestamp = headers.getFirst("webhook-timestamp");
        String signatures = headers.getFirst("webhook-signature");
        if (id == null || timestamp == null || signatures == null || !timestamp.matches("\\d{1,12}")) {
            return false;
        }
        var age = Duration.between(Instant.ofEpochSecond(Long.parseLong(timestamp)), now).abs();
        byte[] wanted = ("v1," + sign(id + "." + timestamp + ".", body)).getBytes();
        // Several signatures while a secret is rotated.
        for (String signature : signatures.split(" ")) {
            if (MessageDigest.isEqual(signature.getBytes(), wanted)) {
                return age.compareTo(Duration.ofMinutes(5)) <= 0;
            }
        }
        return false;
    }

    private String sign(String start, byte[] body) {
        try {
            Mac mac = Mac.getInstance("HmacSHA256");
            mac.init(new SecretKeySpec(key, "HmacSHA256"));
            mac.update(start.getBytes());
            return Base64.getEncoder().encodeToString(mac.doFinal(body));
        } catch (GeneralSecurityException impossible) {
            // Every Java has HmacSHA256.
            throw new IllegalStateException(impossible);
        }
    }
}
