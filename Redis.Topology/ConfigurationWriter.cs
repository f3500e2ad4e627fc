using System.Globalization;
using System.Text;

namespace AspireRedis.Topology;

/// <summary>Writes lines of a Redis configuration file and quotes what needs it.</summary>
internal sealed class ConfigurationWriter
{
    private readonly StringBuilder _text = new();

    public void Line(string directive, params ReadOnlySpan<object> arguments)
    {
        _text.Append(directive);
        foreach (var argument in arguments)
        {
            _text.Append(' ').Append(Quote(Convert.ToString(argument, CultureInfo.InvariantCulture)!));
        }

        _text.Append('\n');
    }

    public void Raw(string line) => _text.Append(line).Append('\n');

    public void RawAll(IEnumerable<string> lines)
    {
        foreach (var line in lines)
        {
            Raw(line);
        }
    }

    /// <summary>What every node has: where it listens, its directory, and its password if it has one.</summary>
    public void Node(RedisNode node, string? bind, RedisLogin? login, string? password, string dataDirectory)
    {
        Raw($"bind {bind ?? node.Host}");
        Line("port", node.Port);
        Line("protected-mode", login is null ? "no" : "yes");
        Line("daemonize", "no");
        Line("dir", dataDirectory);
        if (password is not null)
        {
            Line("requirepass", password);
        }
    }

    public void Persistence(RedisPersistence persistence)
    {
        Raw(persistence.Snapshots ? "save 3600 1 300 100 60 10000" : "save \"\"");
        Line("appendonly", persistence.AppendOnly == AppendFsync.Off ? "no" : "yes");
        if (persistence.AppendOnly != AppendFsync.Off)
        {
            Line("appendfsync", persistence.AppendOnly == AppendFsync.Always ? "always" : "everysec");
        }
    }

    public override string ToString() => _text.ToString();

    private static string Quote(string value)
    {
        if (value.Length > 0 && value.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or '_' or '/' or ':'))
        {
            return value;
        }

        return $"\"{value.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal)}\"";
    }
}
