using System.Collections.Concurrent;
using System.Globalization;
using Aspire.Hosting.ApplicationModel;

namespace AspireRedis.Hosting.Resources;

/// <summary>What is known of the nodes of a deployment at the moment. Safe for concurrent use.</summary>
/// <param name="instanceProperty">The property of a snapshot that names the instance.</param>
internal sealed class NodeStates(string instanceProperty)
{
    private readonly ConcurrentDictionary<string, CustomResourceSnapshot> _snapshots = [];
    private readonly ConcurrentDictionary<string, string> _frozen = [];
    private readonly ConcurrentDictionary<string, string> _cutOff = [];

    /// <summary>It runs, or is frozen: sooner or later the orchestrator shows a container as paused then.</summary>
    public static bool IsThere(CustomResourceSnapshot snapshot) => snapshot.State?.Text is "Running" or "Paused";

    public CustomResourceSnapshot? SnapshotOf(IRedisNodeResource node) => _snapshots.GetValueOrDefault(node.Name);

    public void Changed(IRedisNodeResource node, CustomResourceSnapshot snapshot) => _snapshots[node.Name] = snapshot;

    /// <summary>The process id or the container id of a node that runs; null when it does not.</summary>
    public string? InstanceOf(IRedisNodeResource node)
        => SnapshotOf(node) is { } snapshot && IsThere(snapshot)
            && snapshot.Properties.FirstOrDefault(p => p.Name == instanceProperty)?.Value is { } id
            && Convert.ToString(id, CultureInfo.InvariantCulture) is { Length: > 0 } instance
                ? instance
                : null;

    public bool IsFrozen(IRedisNodeResource node) => InstanceOf(node) is { } instance && _frozen.GetValueOrDefault(node.Name) == instance;

    public void Frozen(IRedisNodeResource node, string instance) => _frozen[node.Name] = instance;

    public void Unfrozen(IRedisNodeResource node) => _frozen.TryRemove(node.Name, out _);

    public bool IsCutOff(IRedisNodeResource node) => _cutOff.ContainsKey(node.Name);

    /// <param name="node">A replica.</param>
    /// <param name="password">What it logged in with at its primary before.</param>
    public void CutOff(IRedisNodeResource node, string password) => _cutOff.TryAdd(node.Name, password);

    /// <returns>What it logged in with before it was cut off; empty for nothing.</returns>
    public string PasswordOf(IRedisNodeResource node) => _cutOff.GetValueOrDefault(node.Name, "");

    public void Reconnected(IRedisNodeResource node) => _cutOff.TryRemove(node.Name, out _);
}
