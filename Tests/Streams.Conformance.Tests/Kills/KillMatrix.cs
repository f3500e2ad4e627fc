using System.Globalization;
using System.Text;
using AspireRedis.Testing;

namespace AspireRedis.Streams.Conformance.Kills;

/// <summary>
/// Gathers the rows of a run. When <c>STREAMS_KILL_MATRIX</c> names a file (from the root of the repository), the table
/// is written there in the end.
/// </summary>
public sealed class KillMatrix : IDisposable
{
    private const string Variable = "STREAMS_KILL_MATRIX";
    private readonly List<Outcome> _rows = [];

    internal void Add(Outcome outcome) => _rows.Add(outcome);

    public void Dispose()
    {
        if (Environment.GetEnvironmentVariable(Variable) is not { Length: > 0 } file)
        {
            return;
        }
        var page = new StringBuilder();
        page.AppendLine("# Streams: kill matrix");
        page.AppendLine();
        page.AppendLine(CultureInfo.InvariantCulture,
            $"`{Variable}=docs/streams-kill-matrix.md ./test --filter FullyQualifiedName~KillMatrixTests`, {DateTime.UtcNow:yyyy-MM-dd}");
        page.AppendLine();
        page.AppendLine("""
            Real processes, ended by SIGKILL; each row is [a test](../Tests/Streams.Conformance.Tests/Kills). *Acknowledged* counts events
            whose append was acknowledged (to disk for the rows about Redis alone, by a replica for the failover). None of them may be
            *lost*. State in Redis is changed by one script with the inbox and the acknowledgement, and must change *once*. A mail is
            outside Redis: it may be *repeated*, but never with *another key*.
            """);
        page.AppendLine();
        page.AppendLine("| killed | effect | kills | acknowledged | lost | repeated | with another key | |");
        page.AppendLine("|---|---|---:|---:|---:|---:|---:|---|");
        foreach (var row in _rows.OrderBy(r => r.Fault, StringComparer.Ordinal).ThenBy(r => r.Effect, StringComparer.Ordinal))
        {
            page.AppendLine(CultureInfo.InvariantCulture,
                $"| {row.Fault} | {row.Effect} | {row.Kills} | {row.Acknowledged} | {row.Lost} | {row.Repeated} | {row.ForeignKey} | {(row.IsRight ? "as promised" : "**wrong**")} |");
        }
        File.WriteAllText(Path.Combine(Repository.Root, file), page.ToString());
    }
}
