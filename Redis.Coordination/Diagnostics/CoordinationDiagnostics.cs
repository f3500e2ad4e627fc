using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace AspireRedis.Coordination.Diagnostics;

/// <summary>
/// The one <see cref="System.Diagnostics.ActivitySource"/> and the one <see cref="System.Diagnostics.Metrics.Meter"/>
/// of this library. Pass <see cref="Name"/> to <c>AddSource</c> and <c>AddMeter</c> of OpenTelemetry.
/// </summary>
/// <remarks>
/// Durations are in seconds and names follow the OpenTelemetry conventions. Values of high cardinality (the name of a
/// lease, an id) are span attributes and never metric tags.
/// </remarks>
public static class CoordinationDiagnostics
{
    /// <summary>Name of the activity source and of the meter.</summary>
    public const string Name = "AspireRedis.Coordination";

    /// <summary>Source of all spans of this library.</summary>
    public static ActivitySource ActivitySource { get; } = new(Name);

    internal static Meter Meter { get; } = new(Name);

    // In seconds. The default boundaries of OpenTelemetry are meant for milliseconds.
    private static readonly InstrumentAdvice<double> s_durationBuckets = new()
    {
        HistogramBucketBoundaries = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
    };

    internal static Histogram<double> Duration(string name, string description)
        => Meter.CreateHistogram(name, "s", description, tags: null, s_durationBuckets);

    /// <summary>Records <paramref name="exception"/> on <paramref name="activity"/> and marks it as failed.</summary>
    internal static void Fail(this Activity? activity, Exception exception)
    {
        activity?.AddException(exception);
        activity?.SetStatus(ActivityStatusCode.Error, exception.Message);
    }
}
