namespace AspireRedis.Coordination.Tests.Support;

/// <summary>
/// Runs when the parallel classes have ended: for tests that compare times with each other, and for those that read all of the process'
/// telemetry. New classes are parallel.
/// </summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class AloneCollection
{
    public const string Name = "alone";
}
