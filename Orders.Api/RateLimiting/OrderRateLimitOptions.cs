using System.ComponentModel.DataAnnotations;
using AspireRedis.Coordination.RateLimiting;

namespace AspireRedis.Orders.RateLimiting;

/// <summary>Options of the section <c>RateLimits</c>: how many orders are taken from one customer and from one address.</summary>
internal sealed class OrderRateLimitOptions : IValidatableObject
{
    /// <summary>Whether there are limits. Default false; the AppHost says true.</summary>
    public bool Enabled { get; set; }

    /// <summary>For each customer. Default 500 a second, 1,000 at once.</summary>
    public Rate Customer { get; set; } = new() { PerSecond = 500, Burst = 1000 };

    /// <summary>For each address, or IPv6 network of 64 bits, that requests come from. Default 1,000 a second, 2,000 at once.</summary>
    public Rate Address { get; set; } = new() { PerSecond = 1000, Burst = 2000 };

    /// <summary>See <see cref="RedisRateLimit.WhenUnavailable"/>. Default <see cref="WhenUnavailable.LocalLimit"/>.</summary>
    [EnumDataType(typeof(WhenUnavailable))]
    public WhenUnavailable WhenUnavailable { get; set; } = WhenUnavailable.LocalLimit;

    /// <summary>See <see cref="RedisRateLimit.LocalShare"/>. Default 0.5.</summary>
    [Range(0.001, 1)]
    public double LocalShare { get; set; } = 0.5;

    /// <summary>See <see cref="RedisRateLimit.DecisionTimeout"/>. Default 250 ms.</summary>
    [Range(typeof(TimeSpan), "00:00:00.001", "00:00:05")]
    public TimeSpan DecisionTimeout { get; set; } = TimeSpan.FromMilliseconds(250);

    /// <summary>The limit of a policy.</summary>
    public TokenBucketLimit Limit(string policy, Rate rate) => new()
    {
        Policy = policy,
        TokenLimit = rate.Burst,
        TokensPerPeriod = rate.PerSecond,
        WhenUnavailable = WhenUnavailable,
        LocalShare = LocalShare,
        DecisionTimeout = DecisionTimeout,
    };

    /// <inheritdoc/>
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        foreach (var (name, rate) in new[] { (nameof(Customer), Customer), (nameof(Address), Address) })
        {
            if (rate is null || rate.PerSecond is < 1 or > 1_000_000 || rate.Burst is < 1 or > 1_000_000)
            {
                yield return new ValidationResult($"RateLimits:{name} must have a PerSecond and a Burst of 1 to 1,000,000.", [name]);
            }
        }
    }

    /// <summary>Steady, and at once.</summary>
    internal sealed class Rate
    {
        /// <summary>How many in a second, in the long run.</summary>
        public int PerSecond { get; set; } = 1;

        /// <summary>How many at once.</summary>
        public int Burst { get; set; } = 1;
    }
}
