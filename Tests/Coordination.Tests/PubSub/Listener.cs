using System.Text.Json.Serialization;
using AspireRedis.Coordination.PubSub;

namespace AspireRedis.Coordination.Tests.PubSub;

internal sealed record Said(string Text, int Number = 0);

[JsonSerializable(typeof(Said))]
internal sealed partial class SaidJson : JsonSerializerContext;

/// <summary>A handler that remembers what came, in order: a text, or a gap.</summary>
internal sealed class Listener(Func<Said, Task>? handle = null) : IChannelHandler<Said>
{
    private readonly Lock _lock = new();
    private readonly List<object> _heard = [];

    public IReadOnlyList<object> Heard
    {
        get
        {
            lock (_lock)
            {
                return [.. _heard];
            }
        }
    }

    public IReadOnlyList<string> Texts => [.. Heard.OfType<Said>().Select(s => s.Text)];

    public IReadOnlyList<ChannelGap> Gaps => [.. Heard.OfType<ChannelGap>()];

    public static ChannelTopic<Said> Topic(string name, bool sharded = false) => new(name, "said", SaidJson.Default.Said, sharded);

    public async Task HandleAsync(ChannelMessage<Said> message, CancellationToken cancellationToken)
    {
        Add(message.Value);
        if (handle is not null)
        {
            await handle(message.Value);
        }
    }

    public Task HandleGapAsync(ChannelGap gap, CancellationToken cancellationToken)
    {
        Add(gap);
        return Task.CompletedTask;
    }

    private void Add(object item)
    {
        lock (_lock)
        {
            _heard.Add(item);
        }
    }
}
