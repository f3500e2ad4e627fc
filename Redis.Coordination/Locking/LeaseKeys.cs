using System.Text;
using StackExchange.Redis;

namespace AspireRedis.Coordination.Locking;

/// <summary>The key of a lease and its companions, which share its hash tag: one script may touch them all in a Cluster.</summary>
internal readonly struct LeaseKeys
{
    private const int MaxNameBytes = 1024;

    // What companions end in, and the kinds of leases that stand before it.
    private static readonly string[] s_reserved = [":fence", ":queue", ":holders", ":permits", ":shared", ":semaphore"];

    private readonly string _resource;
    private readonly string _stem;
    private readonly string _end;

    public LeaseKeys(string resource)
    {
        _resource = resource;
        // Without a tag of its own the whole name becomes the tag, which names the same slot. That fails only for a
        // name with a closing brace and no tag, which no companion can follow.
        var tagged = TagStart(resource) >= 0;
        _stem = tagged ? resource : string.Concat("{", resource, "}");
        // "{a}" is a name too and must not share the companions of "a".
        _end = tagged && resource[0] == '{' && resource[^1] == '}' ? ":" : "";
    }

    /// <summary>The owner and its fencing token, with the TTL of the lease; what other clients see.</summary>
    public RedisKey Lease => _resource;

    /// <summary>The last fencing token; it outlives the lease.</summary>
    public RedisKey Fence => Companion("fence");

    /// <summary>Those who wait, by their fencing tokens.</summary>
    public RedisKey Queue => Companion("queue");

    /// <summary>A further key of the same slot.</summary>
    public RedisKey Companion(string suffix) => string.Concat(_stem, ":", suffix, _end);

    /// <exception cref="ArgumentException">The name is empty, too long, or may be that of a companion.</exception>
    public static void Validate(string resource)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(resource);
        // No character takes more than three bytes.
        if (resource.Length > MaxNameBytes / 3 && Encoding.UTF8.GetByteCount(resource) > MaxNameBytes)
        {
            throw new ArgumentException($"The name of a lease has at most {MaxNameBytes} bytes.", nameof(resource));
        }
        // Without a hash tag it is none: each companion has one. The colon behind is that of companions of "{a}".
        var name = resource.AsSpan(0, resource.Length - (resource[^1] == ':' ? 1 : 0));
        if (TagStart(resource) >= 0)
        {
            foreach (var end in s_reserved)
            {
                if (name.EndsWith(end, StringComparison.Ordinal))
                {
                    throw new ArgumentException(
                        $"A lease with a hash tag cannot be named '{resource}': what ends in '{end}' may be a key that belongs to another lease.",
                        nameof(resource));
                }
            }
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
