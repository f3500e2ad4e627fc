namespace AspireRedis.Benchmarks;

/// <summary>A set of benchmarks that is run by its name. It starts the Redis nodes that it needs.</summary>
internal interface ISuite
{
    string Name { get; }

    /// <summary>Measures, and prints its progress, since some suites take minutes.</summary>
    /// <param name="quick">A short run with noisier figures.</param>
    Task<SuiteResult> RunAsync(bool quick);

    /// <summary>The part of one worker process, see <see cref="Worker"/>; it prints what it measured.</summary>
    Task WorkAsync(string[] arguments) => throw new NotSupportedException($"The suite {Name} has no workers.");
}

/// <summary>What a suite measured, and the pictures that show it.</summary>
internal sealed record SuiteResult(IReadOnlyList<Measurement> Measurements)
{
    public IReadOnlyList<Chart> Charts { get; init; } = [];
}

/// <summary>A plot of a report; <see cref="FileName"/> has no extension.</summary>
internal sealed record Chart(string FileName, string Caption, OxyPlot.PlotModel Plot);
