using System.Net;
using System.Text.Json;
using AspireRedis.Topology;

namespace AspireRedis.Hosting.Containers;

/// <summary>
/// A network of the deployment's own beside the one that Aspire makes: only in a network whose subnet was given can a
/// container be given an address, and Sentinels know nodes by addresses that must outlive the container.
/// </summary>
/// <remarks>Internal, so that it never becomes the way to the outside, which the published ports depend on.</remarks>
internal sealed class RedisContainerNetwork
{
    // A network's first addresses are its gateway's and may be the engine's own.
    private const int FirstHost = 10;
    private const int GatewayHost = 1;
    private const int Attempts = 5;
    private const int AddressAttempts = 40;

    private static readonly TimeSpan s_addressInterval = TimeSpan.FromMilliseconds(250);

    private readonly ContainerEngine _engine;
    private readonly string _name;
    private readonly byte[] _subnet;

    private RedisContainerNetwork(ContainerEngine engine, string name, string subnet)
    {
        _engine = engine;
        _name = name;
        _subnet = IPAddress.Parse(subnet.Split('/')[0]).GetAddressBytes();
    }

    /// <summary>Makes the network, or finds the one of an earlier run if it is to be kept.</summary>
    public static async Task<RedisContainerNetwork> CreateAsync(ContainerEngine engine, string name, bool keep,
        CancellationToken cancellationToken)
    {
        if (keep && await ExistsAsync(engine, name, cancellationToken))
        {
            return new(engine, name, await SubnetAsync(engine, name, cancellationToken));
        }
        for (var attempt = 1; ; attempt++)
        {
            // The engine knows which subnets are free; it is asked by letting it choose one.
            await engine.RunAsync(cancellationToken, "network", "create", name);
            var subnet = await SubnetAsync(engine, name, cancellationToken);
            await engine.RunAsync(cancellationToken, "network", "rm", name);
            try
            {
                string[] label = keep ? [] : ["--label", LeftBehind.NetworkLabel];
                await engine.RunAsync(cancellationToken, ["network", "create", "--internal", "--subnet", subnet, .. label, name]);
                return new(engine, name, subnet);
            }
            catch (InvalidOperationException) when (attempt < Attempts)
            {
                // Somebody else was given that subnet meanwhile.
            }
        }
    }

    /// <summary>Where its nodes reach the machine of the engine: no outside is needed for that, and no other network has it.</summary>
    public string Gateway => Host(GatewayHost);

    /// <summary>The address of the nth node.</summary>
    public string AddressOf(int index) => Host(FirstHost + index);

    /// <summary>Gives a container its address, if it has not got it yet.</summary>
    public async Task ConnectAsync(string containerId, RedisNode node, CancellationToken cancellationToken)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                await _engine.RunAsync(cancellationToken, "network", "connect", "--ip", node.Host, _name, containerId);
                return;
            }
            catch (InvalidOperationException e) when (e.Message.Contains("in use", StringComparison.OrdinalIgnoreCase)
                && attempt < AddressAttempts)
            {
                // The container before it, which is ending, still has the address.
                await Task.Delay(s_addressInterval, cancellationToken);
            }
            catch (InvalidOperationException e) when (e.Message.Contains("already", StringComparison.OrdinalIgnoreCase)
                && !e.Message.Contains("in use", StringComparison.OrdinalIgnoreCase))
            {
                // It was restarted by hand and has kept it.
                return;
            }
        }
    }

    /// <summary>Removes the network, if it is still there.</summary>
    /// <exception cref="InvalidOperationException">A container is still in it.</exception>
    public async Task RemoveAsync(CancellationToken cancellationToken)
    {
        if (await ExistsAsync(_engine, _name, cancellationToken))
        {
            await _engine.RunAsync(cancellationToken, "network", "rm", _name);
        }
    }

    private string Host(int number)
    {
        byte[] address = [.. _subnet];
        address[3] += checked((byte)number);
        return new IPAddress(address).ToString();
    }

    private static async Task<bool> ExistsAsync(ContainerEngine engine, string name, CancellationToken cancellationToken)
        => (await engine.RunAsync(cancellationToken, "network", "ls", "--format", "{{.Name}}")).Split('\n').Any(n => n.Trim() == name);

    private static async Task<string> SubnetAsync(ContainerEngine engine, string name, CancellationToken cancellationToken)
    {
        using var json = JsonDocument.Parse(await engine.RunAsync(cancellationToken, "network", "inspect", name));
        var network = json.RootElement[0];
        // Docker's form, then Podman's.
        var subnets = network.TryGetProperty("IPAM", out var ipam)
            ? ipam.GetProperty("Config").EnumerateArray().Select(c => c.GetProperty("Subnet").GetString()!)
            : network.GetProperty("subnets").EnumerateArray().Select(s => s.GetProperty("subnet").GetString()!);
        return subnets.First(s => !s.Contains(':', StringComparison.Ordinal));
    }
}
