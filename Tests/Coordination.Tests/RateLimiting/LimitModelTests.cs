using AspireRedis.Coordination.RateLimiting;
using AspireRedis.Coordination.Tests.Support;
using AspireRedis.Testing;
using FsCheck;
using FsCheck.Fluent;

namespace AspireRedis.Coordination.Tests.RateLimiting;

/// <summary>What the scripts permit, against what each limit promises, over any calls at any times.</summary>
public sealed class LimitModelTests(RedisFixture redis) : IClassFixture<RedisFixture>, IAsyncLifetime
{
    // Any time of the server will do.
    private const long Start = 1_764_400_000_123_456;

    private static int s_keys;

    private TestClient? _client;

    public async Task InitializeAsync() => _client = await TestClient.ConnectAsync(redis.ConnectionString);

    public async Task DisposeAsync() => await _client!.DisposeAsync();

    [Fact]
    public void A_token_bucket_permits_exactly_what_no_interval_forbids()
        => Check.One(Config.QuickThrowOnFailure, Prop.ForAll(Buckets(), bucket =>
        {
            var (limit, calls) = bucket;
            var period = limit.ReplenishmentPeriod.Ticks / 10;
            var clock = Clock(limit);
            var given = new List<(long At, int Permits)>();
            var now = Start;

            // By the definition: in no interval more than a full bucket and what comes back meanwhile.
            bool Conforms(long at, int permits)
            {
                Int128 sum = permits;
                for (var i = given.Count - 1; i >= 0; i--)
                {
                    sum += given[i].Permits;
                    if (sum * period > ((Int128)limit.TokenLimit * period) + ((Int128)(at - given[i].At) * limit.TokensPerPeriod))
                    {
                        return false;
                    }
                }
                return permits <= limit.TokenLimit;
            }

            foreach (var (wait, wanted) in calls)
            {
                now += wait % (2 * period);
                var permits = Math.Min(wanted, limit.TokenLimit);
                var answer = clock.Ask(now, permits);
                Assert.Equal(Conforms(now, permits), answer.Outcome == 1);
                if (answer.Outcome == 1)
                {
                    given.Add((now, permits));
                }
                else
                {
                    Assert.True(Conforms(now + answer.RetryAfter, permits), "at the time that was said");
                    Assert.False(Conforms(now + answer.RetryAfter - 1, permits), "and not before");
                }
                Assert.InRange(answer.Remaining, 0, limit.TokenLimit);
                Assert.True(answer.Remaining == 0 || Conforms(now, (int)answer.Remaining), "what remains can be had");
                Assert.True(answer.Remaining == limit.TokenLimit || !Conforms(now, (int)answer.Remaining + 1), "and no more");
                Assert.True(Conforms(now + answer.Reset, limit.TokenLimit), "all is back at the reset");
            }
        }));

    [Fact]
    public void A_fixed_window_permits_its_limit_and_the_next_begins_with_its_first_permit()
        => Check.One(Config.QuickThrowOnFailure, Prop.ForAll(Windows(), window =>
        {
            var (permitLimit, length, _, calls) = window;
            var limit = new FixedWindowLimit { Policy = "fixed", PermitLimit = permitLimit, Window = TimeSpan.FromMicroseconds(length) };
            var clock = Clock(limit);
            var (now, start, used) = (Start, 0L, 0);
            foreach (var (wait, wanted) in calls)
            {
                now += wait % length;
                var permits = Math.Min(wanted, permitLimit);
                if (now - start >= length)
                {
                    (start, used) = (now, 0);
                }
                var fits = used + permits <= permitLimit;
                var answer = clock.Ask(now, permits);
                Assert.Equal(fits, answer.Outcome == 1);
                used += fits ? permits : 0;
                Assert.Equal(permitLimit - used, answer.Remaining);
                Assert.Equal(fits ? 0 : start + length - now, answer.RetryAfter);
                Assert.Equal(start + length - now, answer.Reset);
            }
        }));

    [Fact]
    public void A_sliding_window_never_permits_more_than_its_limit_and_is_late_by_a_segment_at_most()
        => Check.One(Config.QuickThrowOnFailure, Prop.ForAll(Windows(), window =>
        {
            var (permitLimit, length, segments, calls) = window;
            var limit = new SlidingWindowLimit
            {
                Policy = "sliding", PermitLimit = permitLimit, Window = TimeSpan.FromMicroseconds(length), Segments = segments,
            };
            // Segments are whole microseconds, rounded up: a window of so many of them, and one more.
            var latest = (length + segments - 1) / segments * (segments + 1);
            var clock = Clock(limit);
            var given = new List<(long At, int Permits)>();
            var now = Start;
            int Within(long at, long time) => given.Where(g => g.At > at - time).Sum(g => g.Permits);
            foreach (var (wait, wanted) in calls)
            {
                now += wait % length;
                var permits = Math.Min(wanted, permitLimit);
                var answer = clock.Ask(now, permits);
                if (answer.Outcome == 1)
                {
                    given.Add((now, permits));
                    Assert.True(Within(now, length) <= permitLimit, "never more");
                }
                else
                {
                    Assert.True(Within(now, latest) + permits > permitLimit, "and hardly less");
                    Assert.InRange(answer.RetryAfter, 1, latest);
                    Assert.True(Within(now + answer.RetryAfter, length) + permits <= permitLimit, "not too early");
                }
                Assert.InRange(permitLimit - answer.Remaining, Within(now, length), Within(now, latest));
            }
        }));

    [Fact]
    public void Callers_that_take_all_they_can_get_98_percent_of_a_sliding_window()
    {
        var limit = new SlidingWindowLimit { Policy = "greedy", PermitLimit = 37, Window = TimeSpan.FromSeconds(10) };
        var clock = Clock(limit);
        var permitted = 0;
        var now = Start;
        while (now < Start + 1_000_000_000)
        {
            var answer = clock.Ask(now, 1);
            permitted += answer.Outcome;
            now += answer.Outcome == 1 ? 1 : answer.RetryAfter;
        }
        Assert.InRange(permitted, 37 * 98, 37 * 100);
    }

    [Theory]
    [InlineData(-3_600_000_000)]
    [InlineData(-5_000_000)]
    [InlineData(-40_000)]
    public void A_clock_that_is_set_back_gives_no_more_and_heals_within_a_window(long skew)
    {
        TimedRateLimit[] limits =
        [
            new TokenBucketLimit { Policy = "back", TokenLimit = 10, TokensPerPeriod = 10 },
            new FixedWindowLimit { Policy = "back", PermitLimit = 10, Window = TimeSpan.FromSeconds(1) },
            new SlidingWindowLimit { Policy = "back", PermitLimit = 10, Window = TimeSpan.FromSeconds(1) },
        ];
        foreach (var limit in limits)
        {
            var clock = Clock(limit);
            Assert.Equal(1, clock.Ask(Start, 10).Outcome);
            var answer = clock.Ask(Start + skew, 10);
            Assert.Equal(0, answer.Outcome);
            Assert.InRange(answer.RetryAfter, 1, 1_100_000);
            Assert.Equal(1, clock.Ask(Start + skew + 1_100_000, 10).Outcome);
        }
    }

    [Fact]
    public void A_clock_that_is_set_forward_gives_at_most_one_limit_more()
    {
        TimedRateLimit[] limits =
        [
            new TokenBucketLimit { Policy = "forward", TokenLimit = 10, TokensPerPeriod = 10 },
            new FixedWindowLimit { Policy = "forward", PermitLimit = 10, Window = TimeSpan.FromSeconds(1) },
            new SlidingWindowLimit { Policy = "forward", PermitLimit = 10, Window = TimeSpan.FromSeconds(1) },
        ];
        foreach (var limit in limits)
        {
            var clock = Clock(limit);
            Assert.Equal(1, clock.Ask(Start, 10).Outcome);
            Assert.Equal(1, clock.Ask(Start + 3_600_000_000, 10).Outcome);
            Assert.Equal(0, clock.Ask(Start + 3_600_000_000, 1).Outcome);
        }
    }

    [Fact]
    public void A_reservation_is_given_back_when_nobody_has_reserved_behind_it()
    {
        var clock = Clock(new TokenBucketLimit { Policy = "reserved", TokenLimit = 2, TokensPerPeriod = 1 });
        Assert.Equal(1, clock.Ask(Start, 2).Outcome);
        var first = clock.Ask(Start, 1, "1");
        Assert.Equal((2, 1_000_000), (first.Outcome, first.RetryAfter));
        var second = clock.Ask(Start, 1, "1");
        Assert.Equal((2, 2_000_000), (second.Outcome, second.RetryAfter));

        Assert.Equal(0, clock.Ask(Start, -1, first.Ticket).Outcome);
        Assert.Equal(1, clock.Ask(Start + 300_000, -1, second.Ticket).Outcome);

        Assert.Equal(1_700_000, clock.Ask(Start + 300_000, 1).RetryAfter);
        Assert.Equal(1, clock.Ask(Start + 400_000, -1, first.Ticket).Outcome);
        Assert.Equal(600_000, clock.Ask(Start + 400_000, 1).RetryAfter);
    }

    [Fact]
    public void Permits_of_a_window_that_nobody_used_go_back_to_it_as_long_as_it_lasts()
    {
        TimedRateLimit[] limits =
        [
            new FixedWindowLimit { Policy = "unused", PermitLimit = 10, Window = TimeSpan.FromSeconds(1) },
            new SlidingWindowLimit { Policy = "unused", PermitLimit = 10, Window = TimeSpan.FromSeconds(1) },
        ];
        foreach (var limit in limits)
        {
            var clock = Clock(limit);
            var taken = clock.Ask(Start, 7);
            Assert.Equal(1, clock.Ask(Start + 500_000, -3, taken.Ticket).Outcome);
            Assert.Equal(6, clock.Ask(Start + 500_000, 0).Remaining);
            Assert.Equal(0, clock.Ask(Start + 2_000_000, -3, taken.Ticket).Outcome);
            Assert.Equal(10, clock.Ask(Start + 2_000_000, 0).Remaining);
        }
    }

    private static Gen<List<(long Wait, int Permits)>> Calls()
        => from calls in Gen.Choose(1, 40).SelectMany(n => Gen.ListOf(
               from wait in Gen.Frequency((3, Gen.Constant(0)), (2, Gen.Choose(1, 5)), (6, Gen.Choose(1, 2_000_000_000)))
               from permits in Gen.Frequency((4, Gen.Constant(1)), (2, Gen.Choose(1, 20)))
               select ((long)wait, permits), n))
           select calls.ToList();

    private static Arbitrary<(TokenBucketLimit Limit, List<(long Wait, int Permits)> Calls)> Buckets()
        => (from tokenLimit in Gen.Choose(1, 20)
            from tokens in Gen.Choose(1, 30)
            from period in Gen.Choose(10_000, 5_000_000)
            from calls in Calls()
            select (new TokenBucketLimit
            {
                Policy = "bucket", TokenLimit = tokenLimit, TokensPerPeriod = tokens,
                ReplenishmentPeriod = TimeSpan.FromMicroseconds(period),
            }, calls)).ToArbitrary();

    private static Arbitrary<(int Limit, long Window, int Segments, List<(long Wait, int Permits)> Calls)> Windows()
        => (from limit in Gen.Choose(1, 30)
            from window in Gen.Choose(50_000, 5_000_000)
            from segments in Gen.Choose(1, 50)
            from calls in Calls()
            select (limit, (long)window, segments, calls)).ToArbitrary();

    private ScriptClock Clock(TimedRateLimit limit) => new(_client!.Database, limit, $"model:{Interlocked.Increment(ref s_keys)}");
}
