namespace AspireRedis.Benchmarks.Availability;

/// <summary>
/// What failures and maintenance of the primary cost, and what durability costs, with the shop's settings (down-after
/// 2 s).
/// </summary>
internal sealed class AvailabilitySuite : ISuite
{
    public string Name => "availability";

    public async Task<SuiteResult> RunAsync(bool quick)
    {
        SuiteResult[] results =
        [
            await GroupCommit.RunAsync(TimeSpan.FromSeconds(quick ? 0.5 : 2)),
            await Switchovers.RunAsync(quick ? 2 : 10),
            await Blackouts.RunAsync(quick ? 2 : 20),
            await Growth.RunAsync(quick ? 3 : 50),
        ];
        return new SuiteResult([.. results.SelectMany(r => r.Measurements)]) { Charts = [.. results.SelectMany(r => r.Charts)] };
    }
}
