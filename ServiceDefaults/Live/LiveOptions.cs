using System.ComponentModel.DataAnnotations;

namespace AspireRedis.ServiceDefaults.Live;

/// <summary>Options of the section <c>Live</c>: streams of Server-Sent Events.</summary>
public sealed class LiveOptions
{
    /// <summary>After how long a silence a comment is sent, by which both sides learn whether the other is there. Default 15 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.1", "00:05:00")]
    public TimeSpan Heartbeat { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>
    /// A reader who takes longer than this to accept an event is cut: with the event <c>end</c> and the reason <c>slow</c> when he goes
    /// on reading, without it after twice that time. Default 5 s.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00.1", "00:05:00")]
    public TimeSpan SlowAfter { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>How many streams an instance serves at a time; beyond that the answer is 503. Default 5,000.</summary>
    [Range(1, 1_000_000)]
    public int MaxStreams { get; set; } = 5_000;
}
