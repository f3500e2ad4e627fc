using AspireRedis.Chaos.Faults;

namespace AspireRedis.Chaos.Tests;

public sealed class FaultPlanTests
{
    private static readonly FaultKind[] s_kinds = Enum.GetValues<FaultKind>();

    [Fact]
    public void The_same_seed_gives_the_same_faults_and_another_seed_others()
    {
        Assert.Equal(FaultPlan.Create(7, 100, s_kinds), FaultPlan.Create(7, 100, s_kinds));
        Assert.NotEqual(FaultPlan.Create(7, 100, s_kinds), FaultPlan.Create(8, 100, s_kinds));
        // A shorter run is the beginning of a longer one.
        Assert.Equal(FaultPlan.Create(7, 100, s_kinds).Take(30), FaultPlan.Create(7, 30, s_kinds));
    }

    [Fact]
    public void Every_kind_comes_before_any_comes_again_and_none_lasts_longer_than_ten_seconds()
    {
        var plan = FaultPlan.Create(3, s_kinds.Length * 5, s_kinds);

        Assert.All(plan.Chunk(s_kinds.Length), round => Assert.Equal(s_kinds, round.Select(f => f.Kind).Order()));
        Assert.All(plan, fault => Assert.InRange(fault.Duration, TimeSpan.Zero, TimeSpan.FromSeconds(10)));
    }

    [Fact]
    public void Only_the_kinds_that_are_asked_for_come()
        => Assert.All(FaultPlan.Create(3, 20, [FaultKind.KillService]), fault => Assert.Equal(FaultKind.KillService, fault.Kind));
}
