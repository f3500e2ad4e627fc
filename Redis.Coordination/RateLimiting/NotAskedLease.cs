using System.Threading.RateLimiting;

namespace AspireRedis.Coordination.RateLimiting;

/// <summary>Permits nothing and knows nothing: what is answered without asking anybody.</summary>
internal sealed class NotAskedLease : RateLimitLease
{
    public static readonly NotAskedLease Instance = new();

    public override bool IsAcquired => false;

    public override IEnumerable<string> MetadataNames => [];

    public override bool TryGetMetadata(string metadataName, out object? metadata)
    {
        metadata = null;
        return false;
    }
}
