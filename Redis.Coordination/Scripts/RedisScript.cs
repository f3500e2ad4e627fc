using System.Diagnostics;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text;
using AspireRedis.Coordination.Failover;
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

    private readonly byte[] _hash;

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

    /// <summary>What the server knows the script by.</summary>
    internal string Hash { get; }

    /// <summary>Loads <paramref name="name"/><c>.lua</c> from the namespace of <typeparamref name="TOwner"/>.</summary>
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
        return new RedisScript(name, Expand(Read(owner.Assembly, $"{owner.Namespace}.{name}.lua")), repeatable);
    }

    /// <summary>Runs the script on the primary. While there is none it is tried for up to 5 s.</summary>
    /// <exception cref="RedisServerException">The script raised an error; nothing after that point was written.</exception>
    /// <exception cref="RedisUnavailableException">No primary took it in time; it did certainly not run.</exception>
    /// <exception cref="RedisOutcomeUnknownException">The answer was lost; it may have run, and is not <see cref="Repeatable"/> or the time was over.</exception>
    public Task<RedisResult> EvaluateAsync(IDatabase database, RedisKey[] keys, params RedisValue[] arguments)
    {
        ArgumentNullException.ThrowIfNull(database);
        return RedisRetry.RunAsync(
            database.Multiplexer, () => database.ScriptEvaluateAsync(Text, keys, arguments, CommandFlags.DemandMaster), Repeatable, CancellationToken.None);
    }

    /// <summary>
    /// As <see cref="EvaluateAsync"/>, for what is called often: by hash, which spares the client a look-up by the whole
    /// text; by text when the server does not know it.
    /// </summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    internal async ValueTask<RedisResult> CallAsync(IDatabase database, RedisKey[] keys, RedisValue[] arguments)
    {
        var route = PrimaryRoute.Of(database.Multiplexer);
        if (route?.Gate is not null)
        {
            return await EvaluateAsync(database, keys, arguments);
        }
        var start = Stopwatch.GetTimestamp();
        Exception? failed = null;
        try
        {
            var result = await database.ScriptEvaluateAsync(_hash, keys, arguments, CommandFlags.DemandMaster);
            route?.Observer.Succeeded(start);
            return result;
        }
        catch (RedisServerException e) when (IsUnknown(e))
        {
        }
        catch (Exception e) when (e.Classify() != RedisFailure.Final)
        {
            failed = e;
        }
        return await RedisRetry.RunAsync(database.Multiplexer,
            () => database.ScriptEvaluateAsync(Text, keys, arguments, CommandFlags.DemandMaster), Repeatable, start, failed, CancellationToken.None);
    }

    /// <summary>
    /// One <c>EVALSHA</c> and nothing else: <see cref="EvaluateAsync"/> sends the script again, behind whatever was sent
    /// meanwhile, when the server turns out not to know it.
    /// </summary>
    internal Task<RedisResult> EvaluateByHashAsync(IDatabase database, RedisKey[] keys, RedisValue[] arguments)
        => database.ExecuteAsync("EVALSHA", [Hash, keys.Length, .. keys.Select(k => (object)k), .. arguments.Select(a => (object)a)]);

    /// <summary>One <c>EVAL</c> and nothing else; the server knows the script from then on.</summary>
    internal Task<RedisResult> EvaluateByTextAsync(IDatabase database, RedisKey[] keys, RedisValue[] arguments)
        => database.ExecuteAsync("EVAL", [Text, keys.Length, .. keys.Select(k => (object)k), .. arguments.Select(a => (object)a)]);

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

    private static string Read(Assembly assembly, string resource)
    {
        using var stream = assembly.GetManifestResourceStream(resource)
            ?? throw new InvalidOperationException($"The script '{resource}' is not an embedded resource of {assembly.GetName().Name}.");
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }
}
