using System.Globalization;
using AspireRedis.Coordination.Streams;

namespace AspireRedis.Cluster.Cli;

/// <summary>What the command line says.</summary>
/// <param name="From">Connection string of the source.</param>
/// <param name="To">That of the cluster, without the word that says so.</param>
/// <param name="Partitions">How many partitions the shop will have; null for the default, or what the source has.</param>
/// <param name="IsJson">Whether the result is for programs.</param>
/// <param name="IsConfirmed">Whether nobody is asked.</param>
internal sealed record Arguments(string From, string To, int? Partitions, bool IsJson, bool IsConfirmed)
{
    public const string Usage =
        """
        usage: eng/to-cluster --from CONNECTION --to CONNECTION,topology=cluster [--partitions N] [--yes] [--json]

        Copies what a stopped shop has on a Sentinel deployment, or on one server, into an empty Redis Cluster, and compares it.

          --from          the connection string that the services had: HOST:PORT,...,serviceName=NAME or HOST:PORT
          --to            the one that they will have; it says topology=cluster
          --partitions N  how many partitions a shop gets that had one (2 to 1024); 8 when not given. One that has several keeps them
          --yes           asks nobody
          --json          the result for programs, on standard output; progress goes to standard error

        The source is only read. The cluster remembers the move: it is refused a second time, and after one that did not end, until the
        cluster is empty.

        Exit codes: 0 moved and compared, 1 refused and nothing changed, 2 wrong arguments, 3 begun and not ended, 4 copied and not the
        same, 130 stopped before anything was written.
        """;

    /// <summary>As <c>./run --cluster</c> has.</summary>
    public const int DefaultPartitions = 8;

    private const string OfCluster = "topology=cluster";

    /// <exception cref="ArgumentException">An argument is missing, unknown or has no place; the message names it.</exception>
    public static Arguments Parse(IReadOnlyList<string> arguments)
    {
        string? from = null, to = null;
        int? partitions = null;
        var (isJson, isConfirmed) = (false, false);
        for (var i = 0; i < arguments.Count; i++)
        {
            switch (arguments[i])
            {
                case "--from":
                    from = Value(ref i);
                    break;
                case "--to":
                    to = Value(ref i);
                    break;
                case "--partitions":
                    partitions = int.TryParse(Value(ref i), NumberStyles.None, CultureInfo.InvariantCulture, out var count)
                        && count is >= 2 and <= StreamPartitions.MaxCount ? count
                        : throw new ArgumentException(string.Create(CultureInfo.InvariantCulture,
                            $"--partitions is a number from 2 to {StreamPartitions.MaxCount}."));
                    break;
                case "--json":
                    isJson = true;
                    break;
                case "--yes":
                    isConfirmed = true;
                    break;
                default:
                    throw new ArgumentException($"'{arguments[i]}' has no place.");
            }
        }
        if (from is null || to is null)
        {
            throw new ArgumentException("--from and --to are needed.");
        }
        if (IsOfCluster(from))
        {
            throw new ArgumentException("--from is a cluster: there is nothing to move.");
        }
        return IsOfCluster(to) ? new Arguments(from, Rest(to), partitions, isJson, isConfirmed)
            : throw new ArgumentException($"--to must say {OfCluster}: what it names is no cluster.");

        string Value(ref int i)
            => ++i < arguments.Count ? arguments[i] : throw new ArgumentException($"{arguments[i - 1]} needs a value.");
    }

    private static bool IsOfCluster(string connection) => connection.Split(',').Any(IsTheWord);

    private static string Rest(string connection) => string.Join(',', connection.Split(',').Where(part => !IsTheWord(part)));

    private static bool IsTheWord(string part)
        => part.Replace(" ", "", StringComparison.Ordinal).Equals(OfCluster, StringComparison.OrdinalIgnoreCase);
}
