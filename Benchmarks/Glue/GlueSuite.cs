using AspireRedis.Benchmarks.RateLimits;

namespace AspireRedis.Benchmarks.Glue;

/// <summary>What Redis is between services besides locks and streams: rate limits, reads through the cache, live updates.</summary>
internal sealed class GlueSuite : ISuite
{
    public string Name => "glue";

    public async Task<SuiteResult> RunAsync(bool quick)
    {
        List<Measurement> measurements = [];
        measurements.AddRange(await RateLimitRounds.RunAsync(quick));
        measurements.AddRange(await CacheStampede.RunAsync(quick));
        measurements.AddRange(await LiveUpdates.RunAsync(quick));
        return new SuiteResult(measurements);
    }
}
