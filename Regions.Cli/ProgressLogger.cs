using AspireRedis.Coordination.Regions;
using Microsoft.Extensions.Logging;

namespace AspireRedis.Regions.Cli;

/// <summary>What an operation logs is its progress.</summary>
internal sealed class ProgressLogger(TextWriter to) : ILogger<RegionOperator>
{
    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Information;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception,
        Func<TState, Exception?, string> formatter)
    {
        ArgumentNullException.ThrowIfNull(formatter);
        if (IsEnabled(logLevel))
        {
            to.WriteLine(formatter(state, exception));
        }
    }
}
