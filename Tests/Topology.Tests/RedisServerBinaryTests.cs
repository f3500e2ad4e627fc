using AspireRedis.Hosting.Processes;
using AspireRedis.Testing;
using Xunit;

namespace AspireRedis.Topology.Tests;

public sealed class RedisServerBinaryTests
{
    [Fact]
    public void It_is_found_and_says_its_version()
    {
        var binary = RedisServerBinary.Find();

        Assert.True(Path.IsPathRooted(binary.Path));
        Assert.True(binary.Version.Major >= 6, $"{binary}");
    }

    [Fact]
    public void Without_one_the_error_tells_how_to_install_it()
    {
        using var empty = new TemporaryDirectory();

        var error = Assert.Throws<InvalidOperationException>(() => RedisServerBinary.Find(null, empty.Path));

        Assert.Contains("apt-get install redis-server", error.Message, StringComparison.Ordinal);
        Assert.Contains("REDIS_SERVER", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_name_in_the_environment_must_exist_and_be_a_redis_server()
    {
        Assert.Contains("/no/such", Assert.Throws<InvalidOperationException>(() => RedisServerBinary.Find("/no/such", "")).Message,
            StringComparison.Ordinal);
        Assert.Contains("says no version", Assert.Throws<InvalidOperationException>(() => RedisServerBinary.Find("/bin/echo", "")).Message,
            StringComparison.Ordinal);
    }
}
