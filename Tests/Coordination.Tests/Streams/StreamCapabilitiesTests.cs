using AspireRedis.Coordination.Streams;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.Hosting.Processes;
using AspireRedis.Testing;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Tests.Streams;

public sealed class StreamCapabilitiesTests(RedisFixture redis) : IClassFixture<RedisFixture>
{
    private static readonly RedisResult s_unknown = RedisResult.Create(RedisValue.Null);

    [Fact]
    public async Task The_server_of_this_machine_is_asked()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        var version = RedisServerBinary.Find().Version;

        var detected = await StreamCapabilities.DetectAsync(client.Database);

        // The newest server that these tests have met is 8.6.
        Assert.Equal(
            (version >= new Version(8, 2), version >= new Version(8, 4), version >= new Version(8, 6)),
            (detected.AcknowledgeAndDelete, detected.ReadClaim, detected.IdempotentAppend));
    }

    [Fact]
    public void Redis_7_0_has_none_of_them()
        => Assert.Equal(StreamCapabilities.Classic, StreamCapabilities.Read(Array(s_unknown, s_unknown),
        Docs(["COUNT", "BLOCK", "NOACK"], ["NOMKSTREAM", "MAXLEN"])));

    [Fact]
    public void Each_is_found_by_itself()
    {
        Assert.Equal(StreamCapabilities.Classic with { AcknowledgeAndDelete = true },
            StreamCapabilities.Read(Array(Info("xackdel"), s_unknown), Docs([], [])));
        Assert.Equal(StreamCapabilities.Classic with { NegativeAcknowledge = true },
            StreamCapabilities.Read(Array(s_unknown, Info("xnack")), Docs([], [])));
        Assert.Equal(StreamCapabilities.Classic with { ReadClaim = true },
            StreamCapabilities.Read(Array(s_unknown, s_unknown), Docs(["COUNT", "CLAIM"], ["MAXLEN"])));
        Assert.Equal(StreamCapabilities.Classic with { IdempotentAppend = true },
            StreamCapabilities.Read(Array(s_unknown, s_unknown), Docs(["COUNT"], ["IDMPAUTO", "IDMP"])));
    }

    [Fact]
    public void The_order_of_the_commands_in_the_documentation_does_not_matter()
    {
        var docs = Array(Text("xadd"), Command(["IDMP"]), Text("xreadgroup"), Command(["CLAIM"]));
        Assert.Equal(new StreamCapabilities(true, true, true, true), StreamCapabilities.Read(Array(Info("xackdel"), Info("xnack")), docs));
    }

    [Fact]
    public void Silence_and_a_word_in_a_summary_are_no_capability()
    {
        Assert.Equal(StreamCapabilities.Classic, StreamCapabilities.Read(s_unknown, s_unknown));
        Assert.Equal(StreamCapabilities.Classic, StreamCapabilities.Read(Array(), Array()));
        Assert.Equal(StreamCapabilities.Classic, StreamCapabilities.Read(
            Array(Array(), Array()), Array(Text("xreadgroup"),
            Array(Text("summary"), Text("CLAIM"), Text("arguments"), Array(Array(Text("name"), Text("CLAIM")))))));
    }

    private static RedisResult Text(string text) => RedisResult.Create(text, ResultType.BulkString);

    private static RedisResult Array(params RedisResult[] items) => RedisResult.Create(items);

    private static RedisResult Info(string name) => Array(Text(name), RedisResult.Create(-6, ResultType.Integer));

    private static RedisResult Docs(string[] read, string[] add) => Array(Text("xreadgroup"), Command(read), Text("xadd"), Command(add));

    /// <summary>With the tokens one level down, as in a block of alternatives.</summary>
    private static RedisResult Command(string[] tokens)
        => Array(Text("summary"), Text("Something."), Text("arguments"), Array(
            Array(Text("name"), Text("key"), Text("type"), Text("key")),
            Array(Text("name"), Text("options"), Text("type"), Text("oneof"), Text("arguments"),
                Array([.. tokens.Select(t => Array(Text("name"), Text("x"), Text("type"), Text("integer"), Text("token"), Text(t)))]))));
}
