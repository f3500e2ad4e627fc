using System.Net;
using AspireRedis.Coordination.Failover;
using AspireRedis.Testing;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Tests.Failover;

public sealed class EndpointMapTests(RedisFixture redis) : IClassFixture<RedisFixture>
{
    [Fact]
    public async Task A_client_reaches_an_address_that_leads_nowhere_by_the_map()
    {
        // An address for documentation, which nobody has (RFC 5737).
        var options = ConfigurationOptions.Parse(redis.ConnectionString);
        var real = (IPEndPoint)options.EndPoints.Single();
        options.EndPoints.Clear();
        options.EndPoints.Add(IPEndPoint.Parse("192.0.2.1:6379"));
        EndpointMap.Parse($"192.0.2.1:6379={real}, [2001:db8::1]:6379={real}").ApplyTo(options);

        await using var connection = await ConnectionMultiplexer.ConnectAsync(options);
        await connection.GetDatabase().PingAsync();
        Assert.Equal("192.0.2.1:6379", EndPointCollection.ToString(connection.GetServers().Single().EndPoint));
    }

    [Fact]
    public async Task What_is_not_in_the_map_stays_as_it_is()
    {
        var other = IPEndPoint.Parse("192.0.2.2:6379");
        Assert.Equal(other, await EndpointMap.Parse("192.0.2.1:6379=127.0.0.1:1").GetSocketConnectEndpointAsync(other, default));
    }

    [Theory]
    [InlineData("192.0.2.1:6379")]
    [InlineData("192.0.2.1=127.0.0.1:1")]
    [InlineData("host:6379=127.0.0.1:1")]
    [InlineData("192.0.2.1:6379=127.0.0.1:1,192.0.2.1:6379=127.0.0.1:2")]
    public void What_is_no_map_is_refused(string text) => Assert.Throws<FormatException>(() => EndpointMap.Parse(text));
}
