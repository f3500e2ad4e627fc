using AspireRedis.Coordination.Locking;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.Testing;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace AspireRedis.Coordination.Tests.Locking;

public sealed class LeaseRenewalTests(RedisFixture redis) : IClassFixture<RedisFixture>
{
    [Fact]
    public async Task Renewal_keeps_the_lease_beyond_its_TTL()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        // Renewed at a third of it: a process that gets no processor for less than the rest keeps its lease.
        var ttl = TimeSpan.FromSeconds(6);
        await using var lease = await client.Leases.AcquireAsync("renewed", new LeaseOptions { Ttl = ttl });
        var owner = await client.Database.StringGetAsync("renewed");
        // A key of the same age and TTL that nobody renews says when the TTL has passed on the server.
        await client.Database.StringSetAsync("renewed:control", "", 2 * ttl);

        await Eventually.TrueAsync(async () => !await client.Database.KeyExistsAsync("renewed:control"), "twice the TTL has passed");

        lease.ThrowIfLost();
        Assert.Equal(owner, await client.Database.StringGetAsync("renewed"));
    }

    [Fact]
    public async Task Renewal_comes_at_a_third_of_the_TTL_and_gives_a_whole_TTL()
    {
        var clock = new FakeTimeProvider();
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString, clock);
        var ttl = TimeSpan.FromMinutes(3);
        await using var lease = await client.Leases.AcquireAsync("third", new LeaseOptions { Ttl = ttl });
        for (var i = 0; i < 10; i++)
        {
            // As if the server's clock had run on too.
            await client.Database.KeyExpireAsync("third", TimeSpan.FromMinutes(2));
            clock.Advance(TimeSpan.FromMinutes(1));
            await Eventually.TrueAsync(async () => await client.Database.KeyTimeToLiveAsync("third") > TimeSpan.FromMinutes(2.5),
                "it is renewed");
            await Eventually.TrueAsync(() => lease.Remaining > TimeSpan.FromMinutes(2.5), "the renewal is counted");
        }
        lease.ThrowIfLost();
    }

    [Fact]
    public async Task Without_renewal_it_runs_out_at_its_TTL_by_the_local_clock()
    {
        var clock = new FakeTimeProvider();
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString, clock);
        var ttl = TimeSpan.FromMinutes(10);
        var lease = await client.Leases.AcquireAsync("unrenewed", new LeaseOptions { Ttl = ttl, AutoRenew = false });

        clock.Advance(ttl * 0.98);
        lease.ThrowIfLost();
        Assert.False(lease.LostToken.IsCancellationRequested);

        clock.Advance(ttl * 0.02);
        Assert.False(lease.IsHeld);
        Assert.Throws<LeaseLostException>(lease.ThrowIfLost);
        await IsLostAsync(lease);
        await lease.DisposeAsync();
    }

    [Fact]
    public async Task Without_renewal_the_server_lets_the_next_one_in_after_the_TTL()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var expired = await client.Leases.AcquireAsync("expired",
            new LeaseOptions { Ttl = TimeSpan.FromMilliseconds(500), AutoRenew = false });
        await using var next = await client.Leases.AcquireAsync("expired", new LeaseOptions { WaitTimeout = TimeSpan.FromSeconds(30) });
        Assert.False(expired.IsHeld);
        next.ThrowIfLost();
    }

    [Fact]
    public async Task Lost_is_cancelled_when_the_key_is_gone()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var lease = await client.Leases.AcquireAsync("gone", new LeaseOptions { Ttl = TimeSpan.FromSeconds(3) });
        await client.Database.KeyDeleteAsync("gone");

        await IsLostAsync(lease);

        Assert.Throws<LeaseLostException>(lease.ThrowIfLost);
        Assert.False(await client.Database.KeyExistsAsync("gone"));
    }

    [Fact]
    public async Task Lost_is_cancelled_when_somebody_else_has_the_key_and_it_stays_theirs()
    {
        var clock = new FakeTimeProvider();
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString, clock);
        var lease = await client.Leases.AcquireAsync("taken", new LeaseOptions { Ttl = TimeSpan.FromMinutes(3) });
        await client.Database.StringSetAsync("taken", "somebody", TimeSpan.FromMinutes(1));

        // The time of one renewal: it is heard of well before the TTL is over.
        clock.Advance(TimeSpan.FromMinutes(1));
        await IsLostAsync(lease);

        await lease.DisposeAsync();
        Assert.Equal("somebody", await client.Database.StringGetAsync("taken"));
        Assert.True(await client.Database.KeyTimeToLiveAsync("taken") <= TimeSpan.FromMinutes(1));
    }

    [Fact]
    public async Task A_lease_that_is_held_for_long_does_not_outlive_the_record_of_its_token()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        var lease = await client.Leases.AcquireAsync("long", new LeaseOptions { Ttl = TimeSpan.FromSeconds(1) });
        // As after half a day.
        Assert.True(await client.Database.KeyExpireAsync("{long}:fence", TimeSpan.FromHours(12)));

        await Eventually.TrueAsync(
            async () => await client.Database.KeyTimeToLiveAsync("{long}:fence") > TimeSpan.FromHours(25), "The record is kept for longer");

        await lease.DisposeAsync();
        await using var next = await client.Leases.AcquireAsync("long");
        Assert.True(next.FencingToken > lease.FencingToken);
        // The mark is gone with the first one who came after.
        Assert.Equal(16, ((string?)await client.Database.StringGetAsync("{long}:fence"))!.Length);
    }

    [Fact]
    public async Task The_record_of_the_token_is_never_lowered_for_those_who_queue_have_theirs()
    {
        await using var client = await TestClient.ConnectAsync(redis.ConnectionString);
        await using var lease = await client.Leases.AcquireAsync("behind", new LeaseOptions { Ttl = TimeSpan.FromSeconds(1) });
        var minted = lease.FencingToken + 5;
        // As after half a day, with somebody in the queue.
        await client.Database.StringSetAsync("{behind}:fence", $"{minted}q", TimeSpan.FromHours(12));

        await Eventually.TrueAsync(
            async () => await client.Database.KeyTimeToLiveAsync("{behind}:fence") > TimeSpan.FromHours(25), "The record is kept for longer");

        Assert.Equal($"{minted}q", await client.Database.StringGetAsync("{behind}:fence"));
    }

    [Fact]
    public async Task A_lease_that_is_extended_when_its_renewal_had_given_up_is_renewed_again()
    {
        var clock = new StoppedClock();
        var lease = new StubbornLease(clock);
        // A third of the TTL is over; while it is renewed, and cannot be, the rest goes by, and the timer comes late.
        clock.Now += TimeSpan.TicksPerSecond;
        clock.Fire();
        Assert.Equal(1, lease.Renewals);

        lease.ExtendTo(clock.Now + (3 * TimeSpan.TicksPerSecond));

        Assert.Equal(TimeSpan.FromSeconds(1), clock.Due);
        clock.Now += TimeSpan.TicksPerSecond;
        clock.Fire();
        Assert.Equal(2, lease.Renewals);
        await lease.DisposeAsync();
    }

    private sealed class StubbornLease(StoppedClock clock) : Lease("stubborn", "owner", 1, 3 * TimeSpan.TicksPerSecond,
        new LeaseOptions { Ttl = TimeSpan.FromSeconds(3) }, clock, new LeaseTelemetry("test", NullLogger.Instance))
    {
        public int Renewals { get; private set; }

        protected override Task<bool> RenewAsync(CancellationToken cancellationToken)
        {
            Renewals++;
            clock.Now += 3 * TimeSpan.TicksPerSecond;
            throw new InvalidOperationException("Redis is away.");
        }

        protected override Task ReleaseAsync() => Task.CompletedTask;
    }

    /// <summary>Goes on, and fires its one timer, when the test says so.</summary>
    private sealed class StoppedClock : TimeProvider
    {
        private TimerCallback _callback = null!;
        private object? _state;

        public long Now { get; set; }

        public TimeSpan Due { get; private set; }

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Now;

        public void Fire() => _callback(_state);

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            (_callback, _state, Due) = (callback, state, dueTime);
            return new Timer(this);
        }

        private sealed class Timer(StoppedClock clock) : ITimer
        {
            public bool Change(TimeSpan dueTime, TimeSpan period)
            {
                clock.Due = dueTime;
                return true;
            }

            public void Dispose()
            {
            }

            public ValueTask DisposeAsync() => ValueTask.CompletedTask;
        }
    }

    private static Task IsLostAsync(ILease lease)
        => Eventually.TrueAsync(() => lease.LostToken.IsCancellationRequested, "the holder is told that the lease is lost");
}
