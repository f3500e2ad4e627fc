using System.Text;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Locking;

/// <summary>The key of a lease and its companions, which share its hash tag: one script may touch them all in a Cluster.</summary>
internal readonly struct LeaseKeys
{
    private const int MaxNameBytes = 1024;

    private readonly string _resource;
    private readonly string _stem;

    public LeaseKeys(string resource)
    {
        _resource = resource;
        // Without a tag of its own the whole name becomes the tag, which names the same slot. That fails only for a
        // name with a closing brace and no tag, which no companion can follow.
        _stem = TagStart(resource) >= 0 ? resource : $"{{{resource}}}";
    }

    /// <summary>The owner's token, with the TTL of the lease; what other clients see.</summary>
    public RedisKey Lease => _resource;

    /// <summary>The last fencing token; it outlives the lease.</summary>
    public RedisKey Fence => $"{_stem}:fence";

    /// <summary>The tokens of those who wait.</summary>
    public RedisKey Queue => $"{_stem}:queue";

    /// <summary>A further key of the same slot.</summary>
    public RedisKey Companion(string suffix) => $"{_stem}:{suffix}";

    /// <exception cref="ArgumentException">The name is empty or too long.</exception>
    public static void Validate(string resource)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(resource);
        if (Encoding.UTF8.GetByteCount(resource) > MaxNameBytes)
        {
            throw new ArgumentException($"The name of a lease has at most {MaxNameBytes} bytes.", nameof(resource));
        }
    }

    /// <summary>The part of a name before its hash tag, such as <c>inventory_lock</c>: of low cardinality. Null without a tag.</summary>
    public static string? Family(string resource)
    {
        var family = resource.AsSpan(0, Math.Max(0, TagStart(resource))).TrimEnd(':');
        return family.IsEmpty ? null : family.ToString();
    }

    /// <summary>Where the brace of the hash tag is, as Redis Cluster sees it; negative without one.</summary>
    private static int TagStart(string resource)
    {
        var open = resource.IndexOf('{', StringComparison.Ordinal);
        return open >= 0 && resource.IndexOf('}', open) > open + 1 ? open : -1;
    }
}
