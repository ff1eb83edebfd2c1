import java.io.PrintStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.Base64;
import java.util.HexFormat;

/** Sends each request of a list to a server; prints status and SHA-256 of the body of each answer. */
public class Fetch {
    public static void main(String[] args) throws Exception {
        HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
        PrintStream out = new PrintStream(System.out, true);
        for (String line : Files.readAllLines(Path.of(args[1]))) {
            String[] parts = line.split("\t", -1);
            byte[] body = Base64.getDecoder().decode(parts[2]);
            HttpRequest.BodyPublisher sent = body.length == 0
                    ? HttpRequest.BodyPublishers.noBody()
                    : HttpRequest.BodyPublishers.ofByteArray(body);
            HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(args[0] + parts[1]))
                    .method(parts[0], sent);
            if (!parts[3].isEmpty()) {
                request.header("content-type", parts[3]);
            }
            HttpResponse<byte[]> answer =
                    client.send(request.build(), HttpResponse.BodyHandlers.ofByteArray());
            byte[] hash = MessageDigest.getInstance("SHA-256").digest(answer.body());
            out.println(answer.statusCode() + " " + HexFormat.of().formatHex(hash));
        }
    }
}
