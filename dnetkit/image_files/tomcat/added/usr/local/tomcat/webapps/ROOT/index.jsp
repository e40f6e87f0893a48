<%@ page contentType="text/plain; charset=UTF-8" trimDirectiveWhitespaces="true" session="false"
    import="java.io.*, java.net.*, java.nio.charset.StandardCharsets" %>
<%!
    /** Ask the Redis of that name to count one visit more, in its own protocol; what came of it, in words. */
    static String visit(String name) {
        int colon = name.lastIndexOf(':');
        String host = colon < 0 ? name : name.substring(0, colon);
        String where = "";
        try {
            int port = colon < 0 ? 6379 : Integer.parseInt(name.substring(colon + 1));
            InetAddress address = InetAddress.getByName(host);
            where = " at " + address.getHostAddress() + ":" + port;
            try (Socket socket = new Socket()) {
                socket.connect(new InetSocketAddress(address, port), 2000);
                socket.setSoTimeout(2000);
                socket.getOutputStream().write("*2\r\n$4\r\nINCR\r\n$6\r\nvisits\r\n".getBytes(StandardCharsets.US_ASCII));
                String answer = new BufferedReader(new InputStreamReader(socket.getInputStream(), StandardCharsets.UTF_8)).readLine();
                if (answer == null) throw new IOException("it hung up");
                return where + ": " + (answer.startsWith(":") ? "visit " + answer.substring(1) : answer);
            }
        } catch (UnknownHostException nobody) {
            return where + ": no such name";
        } catch (NumberFormatException words) {
            return where + ": no such port";
        } catch (IOException failed) {
            return where + ": " + failed.getMessage();
        }
    }
%>
<%
    String redis = System.getenv().getOrDefault("REDIS_HOST", "redis");
    out.println("Tomcat on " + System.getenv("HOSTNAME") + " at " + request.getLocalAddr() + ":" + request.getLocalPort()
        + ", asked by " + request.getRemoteAddr());
    out.println("Redis by the name " + redis + visit(redis));
%>
