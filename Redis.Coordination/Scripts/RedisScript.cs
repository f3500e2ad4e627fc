using System.Collections.Concurrent;
using System.Reflection;
using System.Security.Cryptography;
using System.Text;
using AspireRedis.Coordination.Regions.Permission;
using StackExchange.Redis;

namespace AspireRedis.Coordination;

/// <summary>
/// A Lua script kept as an embedded <c>.lua</c> file beside the class that runs it. It runs atomically on one Redis
/// server; the client sends the text once per server and calls it by hash afterwards.
/// </summary>
/// <remarks>
/// A line <c>--@include NAME</c> is replaced by the library script <c>NAME.lua</c> of this assembly, so that a service
/// can embed, for example, the fencing check (<c>--@include fencing</c>) in its own guarded write.
/// Instances are immutable and safe for concurrent use.
/// </remarks>
public sealed class RedisScript
{
    private const string IncludeDirective = "--@include ";
    private const string HandOverDirective = "--@unless-region-is-handed-over\n";

    private static readonly Lazy<string> s_fence = new(() => Expand(Read(typeof(RedisScript).Assembly,
        $"{typeof(RedisScript).Namespace}.Scripts.fence-first.lua")));

    private readonly byte[] _hash;
    private RedisScript? _fenced;
    private ConcurrentDictionary<string, RedisScript>? _guarded;

    private RedisScript(string name, string text, bool repeatable)
    {
        Name = name;
        Repeatable = repeatable;
        Text = text;
#pragma warning disable CA5350 // Redis names scripts by it; nothing is protected with it.
        _hash = SHA1.HashData(Encoding.UTF8.GetBytes(text));
#pragma warning restore CA5350
        Hash = Convert.ToHexStringLower(_hash);
    }

    /// <summary>The file name without its extension; used in errors and traces.</summary>
    public string Name { get; }

    /// <summary>The Lua text that is sent to the server, with includes expanded.</summary>
    public string Text { get; }

    /// <summary>
    /// Whether running it twice with the same arguments leads to the same state as running it once, and the second result
    /// is as good as the first: it is then run again when the first answer is lost.
    /// </summary>
    public bool Repeatable { get; }

    /// <summary>
    /// The same script behind <c>fence-first.lua</c>: it has one more key, the last, for a fence, and one more argument, the last, for
    /// the fencing token, and does nothing when another has come after that.
    /// </summary>
    internal RedisScript Fenced
        => _fenced ??= Behind(s_fence.Value);

    /// <summary>Whether it only reads, for people to look at, and may do so in a region that is a standby.</summary>
    internal bool IsForAnyRegion { get; private init; }

    /// <summary>What the server knows the script by.</summary>
    internal string Hash { get; }

    /// <summary>
    /// Loads <paramref name="name"/><c>.lua</c>, an embedded resource in the namespace of <typeparamref name="TOwner"/>, as
    /// <c>&lt;EmbeddedResource Include="**/*.lua" /&gt;</c> makes of a file beside it. For a class without a namespace that is
    /// the project's folder.
    /// </summary>
    /// <typeparam name="TOwner">The class beside which the file lies.</typeparam>
    /// <param name="name">The file name without <c>.lua</c>.</param>
    /// <param name="repeatable">See <see cref="Repeatable"/>. Default false.</param>
    /// <exception cref="InvalidOperationException">The script, or one that it includes, is not embedded.</exception>
    public static RedisScript Load<TOwner>(string name, bool repeatable = false) => Load(typeof(TOwner), name, repeatable);

    /// <inheritdoc cref="Load{TOwner}(string, bool)"/>
    /// <param name="owner">The class beside which the file lies.</param>
    /// <param name="name">The file name without <c>.lua</c>.</param>
    /// <param name="repeatable">See <see cref="Repeatable"/>. Default false.</param>
    public static RedisScript Load(Type owner, string name, bool repeatable = false)
    {
        ArgumentNullException.ThrowIfNull(owner);
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        return new RedisScript(name, Expand(Read(owner.Assembly, $"{owner.Namespace ?? owner.Assembly.GetName().Name}.{name}.lua")),
            repeatable);
    }

    /// <summary>The same script, which only reads, and may do so in a region that is a standby.</summary>
    internal RedisScript ForAnyRegion() => new(Name, Text, Repeatable) { IsForAnyRegion = true };

    /// <summary>The same script, which does nothing where the region of <paramref name="guard"/> may not write.</summary>
    internal RedisScript Guarded(RegionGuard guard)
        => LazyInitializer.EnsureInitialized(ref _guarded, static () => new(StringComparer.Ordinal))
            .GetOrAdd(guard.Region, static (_, a) => a.Script.With(RegionGuard.HandOverCheck).Behind(a.Guard.Check),
                (Script: this, Guard: guard));

    private RedisScript With(string handOverCheck)
        => Text.Contains(HandOverDirective, StringComparison.Ordinal)
            ? new RedisScript(Name, Text.Replace(HandOverDirective, handOverCheck, StringComparison.Ordinal), Repeatable)
            : this;

    /// <summary>The same script behind another text.</summary>
    private RedisScript Behind(string check)
        // A line that starts with #! must stay the first.
        => Text.StartsWith("#!", StringComparison.Ordinal) && Text.IndexOf('\n', StringComparison.Ordinal) is var end and > 0
            ? new RedisScript(Name, Text[..(end + 1)] + check + Text[(end + 1)..], Repeatable)
            : new RedisScript(Name, check + Text, Repeatable);

    /// <summary>One <c>EVALSHA</c> and nothing else; it fails when the server does not know the script.</summary>
    internal Task<RedisResult> SendHashAsync(
        IDatabase database, RedisKey[] keys, RedisValue[] arguments, CommandFlags flags = CommandFlags.None)
        => database.ScriptEvaluateAsync(_hash, keys, arguments, flags);

    /// <summary>
    /// One <c>EVAL</c> and nothing else; the server knows the script from then on. The client's own method for a text may
    /// send it a second time, behind whatever was sent meanwhile.
    /// </summary>
    internal Task<RedisResult> SendTextAsync(
        IDatabase database, RedisKey[] keys, RedisValue[] arguments, CommandFlags flags = CommandFlags.None)
        => database.ExecuteAsync("EVAL", [Text, keys.Length, .. keys.Select(k => (object)k), .. arguments.Select(a => (object)a)], flags);

    /// <summary>Whether the server was called by a hash that it does not know.</summary>
    internal static bool IsUnknown(Exception exception)
        => exception is RedisServerException && exception.Message.StartsWith("NOSCRIPT", StringComparison.Ordinal);

    private static string Expand(string text)
    {
        if (!text.Contains(IncludeDirective, StringComparison.Ordinal))
        {
            return text;
        }
        var expanded = new StringBuilder();
        foreach (var line in text.Split('\n'))
        {
            expanded.Append(line.StartsWith(IncludeDirective, StringComparison.Ordinal)
                ? Include(line[IncludeDirective.Length..].Trim())
                : line).Append('\n');
        }
        return expanded.ToString();
    }

    private static string Include(string name)
    {
        var assembly = typeof(RedisScript).Assembly;
        var resource = Array.Find(assembly.GetManifestResourceNames(), r => r.EndsWith($".{name}.lua", StringComparison.Ordinal))
            ?? throw new InvalidOperationException($"No library script '{name}.lua' to include.");
        return Expand(Read(assembly, resource));
    }

    /// <summary>The text of a script beside a class, as it is.</summary>
    internal static string Read(Type owner, string name) => Read(owner.Assembly, $"{owner.Namespace}.{name}.lua");

    private static string Read(Assembly assembly, string resource)
    {
        using var stream = assembly.GetManifestResourceStream(resource)
            ?? throw new InvalidOperationException($"The script '{resource}' is not an embedded resource of {assembly.GetName().Name}.");
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }
}
