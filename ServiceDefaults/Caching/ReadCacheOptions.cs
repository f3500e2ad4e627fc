using System.ComponentModel.DataAnnotations;

namespace AspireRedis.ServiceDefaults.Caching;

/// <summary>Options of the section <c>ReadCache</c>: how old what is read from the cache may be.</summary>
public sealed class ReadCacheOptions : IValidatableObject
{
    // How long something new may be missing from a list.
    private static readonly TimeSpan s_lists = TimeSpan.FromSeconds(1);

    /// <summary>
    /// How long an entry is served without a look at the store, when no message says that it has changed. Messages can be lost, so this is
    /// the bound on staleness while Redis answers. Default 5 s.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00.1", "01:00:00")]
    public TimeSpan MaxStaleness { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>The same of what there is, such as the skus of a page: a second, or less.</summary>
    public TimeSpan MaxStalenessOfLists => MaxStaleness < s_lists ? MaxStaleness : s_lists;

    /// <summary>How old an entry may get that is served because the store does not answer; then there is none. Default 5 min.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "1.00:00:00")]
    public TimeSpan MaxStalenessWithoutStore { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>How long after a failed attempt the store is asked again. Default 1 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.1", "00:01:00")]
    public TimeSpan RetryAfter { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>How many entries a process keeps in memory; more are dropped. Default 10,000.</summary>
    [Range(100, 10_000_000)]
    public int MaxEntries { get; set; } = 10_000;

    /// <inheritdoc/>
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (MaxStalenessWithoutStore < MaxStaleness * 2)
        {
            yield return new ValidationResult("ReadCache:MaxStalenessWithoutStore must be at least twice ReadCache:MaxStaleness.",
                [nameof(MaxStalenessWithoutStore)]);
        }
    }
}
