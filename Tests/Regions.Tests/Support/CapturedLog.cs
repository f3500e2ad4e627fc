using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace AspireRedis.Regions.Tests.Support;

/// <summary>Everything that one process logs, at every level.</summary>
internal sealed class CapturedLog
{
    public ConcurrentQueue<LogLine> Lines { get; } = [];

    public ILogger<T> For<T>() => new Logger<T>(this);

    private sealed class Logger<T>(CapturedLog log) : ILogger<T>
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel != LogLevel.None;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception,
            Func<TState, Exception?, string> formatter)
        {
            if (IsEnabled(logLevel))
            {
                log.Lines.Enqueue(new LogLine(typeof(T), logLevel, formatter(state, exception), exception));
            }
        }
    }
}

internal sealed record LogLine(Type Category, LogLevel Level, string Text, Exception? Exception);
