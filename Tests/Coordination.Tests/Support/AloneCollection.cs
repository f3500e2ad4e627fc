namespace AspireRedis.Coordination.Tests.Support;

/// <summary>
/// Runs when the parallel classes have ended: for tests that read telemetry in which those of other classes would appear too. New classes
/// are parallel.
/// </summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class AloneCollection
{
    public const string Name = "alone";
}
