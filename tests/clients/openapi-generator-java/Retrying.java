import ecg.ApiException;

/** Repeats what was refused with 429, after the time that the answer asks for. */
final class Retrying {
    int refused;

    interface Call<T> {
        T run() throws ApiException;
    }

    <T> T call(Call<T> call) throws ApiException, InterruptedException {
        while (true) {
            try {
                return call.run();
            } catch (ApiException refusal) {
                if (refusal.getCode() != 429) {
                    throw refusal;
                }
                refused++;
                long seconds = refusal.getResponseHeaders().firstValueAsLong("Retry-After").orElse(1);
                Thread.sleep(seconds * 1000);
            }
        }
    }
}
