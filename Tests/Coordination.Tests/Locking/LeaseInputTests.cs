using AspireRedis.Coordination.Locking;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.Testing;

namespace AspireRedis.Coordination.Tests.Locking;

public sealed class LeaseInputTests(RedisFixture redis) : IClassFixture<RedisFixture>
{
    public static TheoryData<string, LeaseOptions, string> Refused => new()
    {
        { "", new(), "resource" },
        { "  \t", new(), "resource" },
        { new('x', 1025), new(), "resource" },
        // 1024 characters, but 2048 bytes.
        { new('é', 1024), new(), "resource" },
        { "job:{7}:fence", new(), "':fence'" },
        { "{7}:queue:", new(), "':queue'" },
        { "job:{7}:shared:holders", new(), "':holders'" },
        { "job:{7}:semaphore:permits", new(), "':permits'" },
        // Its own companions would be those of the shared lease job:{7}.
        { "job:{7}:shared", new(), "':shared'" },
        { "{job}:semaphore", new(), "':semaphore'" },
        { "x", new() { Ttl = TimeSpan.Zero }, "LeaseOptions.Ttl" },
        { "x", new() { Ttl = TimeSpan.FromMilliseconds(99) }, "LeaseOptions.Ttl" },
        { "x", new() { Ttl = TimeSpan.FromSeconds(-1) }, "LeaseOptions.Ttl" },
        { "x", new() { Ttl = TimeSpan.FromMinutes(61) }, "LeaseOptions.Ttl" },
        { "x", new() { Ttl = TimeSpan.MaxValue }, "LeaseOptions.Ttl" },
        { "x", new() { Ttl = Timeout.InfiniteTimeSpan }, "LeaseOptions.Ttl" },
        { "x", new() { ClaimTime = TimeSpan.Zero }, "LeaseOptions.ClaimTime" },
        { "x", new() { ClaimTime = TimeSpan.FromMinutes(2) }, "LeaseOptions.ClaimTime" },
        { "x", new() { Durability = (Durability)7 }, "LeaseOptions.Durability" },
        { "x", new() { WaitTimeout = TimeSpan.FromTicks(-1) }, "LeaseOptions.WaitTimeout" },
        { "x", new() { WaitTimeout = Timeout.InfiniteTimeSpan }, "LeaseOptions.WaitTimeout" },
        { "x", new() { WaitTimeout = TimeSpan.FromHours(25) }, "LeaseOptions.WaitTimeout" },
    };

    [Theory]
    [MemberData(nameof(Refused), DisableDiscoveryEnumeration = true)]
    public async Task Bad_input_is_refused_with_its_name(string resource, LeaseOptions options, string name)
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        var thrown = await Assert.ThrowsAnyAsync<ArgumentException>(() => client.Leases.AcquireAsync(resource, options));
        Assert.Contains(name, thrown.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Names_of_companions_are_refused_for_every_kind_of_lease()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        foreach (var provider in new[] { client.Leases, client.SharedLeases.Shared, client.SharedLeases.Exclusive })
        {
            await Assert.ThrowsAsync<ArgumentException>(() => provider.TryAcquireAsync("job:{7}:fence"));
        }
        // Without a hash tag it is nobody's companion.
        await using var lease = await client.Leases.AcquireAsync("job:fence");
        lease.ThrowIfLost();
    }

    [Fact]
    public async Task Null_is_refused()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await Assert.ThrowsAsync<ArgumentNullException>(() => client.Leases.AcquireAsync(null!));
    }

    [Theory]
    [InlineData(100)]
    [InlineData(3_600_000)]
    public async Task The_limits_of_the_TTL_are_accepted(int milliseconds)
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var lease = await client.Leases.AcquireAsync($"limit:{milliseconds}",
            new LeaseOptions { Ttl = TimeSpan.FromMilliseconds(milliseconds) });
        Assert.Equal($"limit:{milliseconds}", lease.Resource);
    }

    [Theory]
    [InlineData("twin", "{twin}")]
    [InlineData("twi}n", "{twi}n}")]
    public async Task Names_that_differ_by_their_braces_have_nothing_in_common(string one, string other)
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var held = await client.Leases.AcquireAsync(one);
        using var cancellation = new CancellationTokenSource();
        var waiting = client.Leases.AcquireAsync(one, cancellationToken: cancellation.Token);
        await client.UntilQueuedAsync(one, 1);

        // Its queue is empty, so it is free.
        await using (await client.Leases.AcquireAsync(other, new LeaseOptions { WaitTimeout = TimeSpan.Zero }))
        {
            held.ThrowIfLost();
        }

        await cancellation.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
    }

    [Theory]
    [InlineData("a name: with {braces}, quotes \" and \n a line feed")]
    [InlineData("Stühle/椅子/🪑")]
    [InlineData("{")]
    [InlineData("}{")]
    public async Task Any_other_text_is_a_name(string resource)
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using (await client.Leases.AcquireAsync(resource))
        {
            Assert.True(await client.Database.KeyExistsAsync(resource));
            Assert.Null(await client.Leases.TryAcquireAsync(resource, new LeaseOptions { WaitTimeout = TimeSpan.Zero }));
        }
        Assert.False(await client.Database.KeyExistsAsync(resource));
    }
}
