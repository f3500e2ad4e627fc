using System.Globalization;
using AspireRedis.Coordination;
using AspireRedis.Coordination.Streams;
using AspireRedis.Puppet.StreamWorkers;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace AspireRedis.Streams.Conformance.Kills;

/// <summary>Appends events and remembers which of them the deployment has acknowledged.</summary>
internal sealed class EventLog : IAsyncDisposable
{
    private static readonly RedisScript s_append = RedisScript.Load<EventLog>("append");

    private readonly RedisDeployment _deployment;
    private readonly DurableWriter _writer;
    private readonly Durability _durability;
    private readonly List<int> _acknowledged = [];
    private int _next;

    private EventLog(RedisDeployment deployment, string stream, Durability durability)
    {
        _deployment = deployment;
        _durability = durability;
        _writer = new DurableWriter(deployment, Options.Create(new DurableWriterOptions()));
        Stream = stream;
    }

    public string Stream { get; }

    public IDatabase Database => _deployment.Database;

    public IReadOnlyList<int> Acknowledged => _acknowledged;

    public static async Task<EventLog> ConnectAsync(string connectionString, string stream, Durability durability)
    {
        var options = ConfigurationOptions.Parse(connectionString);
        options.AsyncTimeout = 1000;
        return new EventLog(await RedisDeployment.ConnectAsync(options), stream, durability);
    }

    /// <summary>Until so many more events are acknowledged. Those whose append fails may exist or not, and are forgotten.</summary>
    /// <param name="count">How many.</param>
    /// <param name="atHalf">Called when half of them are.</param>
    /// <param name="bound">How long it may take.</param>
    public async Task AppendAsync(int count, Action? atHalf = null, TimeSpan? bound = null)
    {
        using var deadline = new CancellationTokenSource(bound ?? TimeSpan.FromSeconds(90));
        var before = _acknowledged.Count;
        while (_acknowledged.Count < before + count)
        {
            deadline.Token.ThrowIfCancellationRequested();
            var number = _next++;
            try
            {
                await _writer.EvaluateAsync(s_append, [Stream], Fields(number), _durability, deadline.Token);
            }
            catch (Exception e) when (e is RedisException or TimeoutException or NotDurableException)
            {
                await Task.Delay(20, deadline.Token);
                continue;
            }
            _acknowledged.Add(number);
            if (_acknowledged.Count == before + (count / 2))
            {
                atHalf?.Invoke();
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _writer.DisposeAsync();
        await _deployment.DisposeAsync();
    }

    private static RedisValue[] Fields(int number)
    {
        var topic = WorkItem.Topic("any");
        return
        [
            StreamFields.EventId, string.Create(CultureInfo.InvariantCulture, $"event-{number}"),
            StreamFields.EventType, topic.EventType,
            StreamFields.SchemaVersion, topic.SchemaVersion,
            "number", number,
        ];
    }
}
