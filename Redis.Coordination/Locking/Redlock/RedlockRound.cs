using StackExchange.Redis;

namespace AspireRedis.Coordination.Locking.Redlock;

/// <summary>One request to all nodes at once to grant a lease, and what they answer. Made for one caller.</summary>
internal sealed class RedlockRound
{
    private readonly IReadOnlyList<RedlockNode> _nodes;
    private readonly Answer?[] _answers;

    private RedlockRound(IReadOnlyList<RedlockNode> nodes)
    {
        _nodes = nodes;
        _answers = new Answer?[nodes.Count];
        Quorum = new Quorum(nodes.Count);
    }

    public Quorum Quorum { get; }

    /// <summary>Sends the request to every node, one after the other without waiting.</summary>
    public static RedlockRound Begin(IReadOnlyList<RedlockNode> nodes, RedisKey[] keys, string owner, TimeSpan ttl, long token)
    {
        var round = new RedlockRound(nodes);
        RedisValue[] arguments = [owner, (long)ttl.TotalMilliseconds, token];
        for (var i = 0; i < nodes.Count; i++)
        {
            _ = round.AskAsync(i, keys, arguments);
        }
        return round;
    }

    /// <summary>What is known now. Nodes that have not answered count as failed when <paramref name="waited"/> is given.</summary>
    public RedlockOutcome Outcome(TimeSpan? waited = null)
    {
        var outcome = new RedlockOutcome(_nodes.Count);
        for (var i = 0; i < _answers.Length; i++)
        {
            switch (Volatile.Read(ref _answers[i]))
            {
                case Granted:
                    outcome.Granted++;
                    break;
                case Held held:
                    outcome.Held.Add((held.Holder, held.Left));
                    break;
                case TokenTooLow refused:
                    outcome.TokenTooLow++;
                    outcome.HighestToken = Math.Max(outcome.HighestToken, refused.Last);
                    break;
                case Failed failed:
                    outcome.Errors.Add(new RedlockNodeError(_nodes[i].Name, failed.Error));
                    break;
                default:
                    outcome.Unanswered++;
                    if (waited is { } time)
                    {
                        var late = new TimeoutException($"no answer within {time.TotalMilliseconds:0} ms");
                        outcome.Errors.Add(new RedlockNodeError(_nodes[i].Name, late));
                    }
                    break;
            }
        }
        return outcome;
    }

    /// <summary>The nodes on which the owner may have the lease now or in a moment.</summary>
    public IReadOnlyList<RedlockNode> MayHaveGranted()
        => _nodes.Where((_, i) => Volatile.Read(ref _answers[i]) is null or Granted or Failed { IsOpen: true }).ToArray();

    private async Task AskAsync(int node, RedisKey[] keys, RedisValue[] arguments)
    {
        var sent = false;
        Answer answer;
        try
        {
            var asked = _nodes[node].GrantAsync(keys, arguments);
            sent = true;
            var reply = await asked;
            _nodes[node].Answered(null);
            answer = Read(reply);
        }
        catch (Exception e)
        {
            if (sent)
            {
                _nodes[node].Answered(e);
            }
            answer = new Failed(e, IsOpen: sent && e is not RedisServerException);
        }
        Volatile.Write(ref _answers[node], answer);
        Quorum.Vote(answer is Granted);
    }

    private static Answer Read(RedisResult reply)
    {
        if ((int)reply[0] == 1)
        {
            return new Granted();
        }
        if ((int)reply[0] == -1)
        {
            return new TokenTooLow((long)reply[1]);
        }
        var left = (long)reply[2];
        // Without expiry only a release can end it.
        return new Held((string?)reply[1] ?? "", left < 0 ? LeaseOptions.MaxTtl : TimeSpan.FromMilliseconds(left + 1));
    }

    private abstract record Answer;

    private sealed record Granted : Answer;

    private sealed record Held(string Holder, TimeSpan Left) : Answer;

    private sealed record TokenTooLow(long Last) : Answer;

    /// <param name="Error">Why.</param>
    /// <param name="IsOpen">The node may have granted it all the same.</param>
    private sealed record Failed(Exception Error, bool IsOpen) : Answer;
}
