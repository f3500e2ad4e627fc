using System.Net;
using AspireRedis.Coordination.Regions;

namespace AspireRedis.Regions.Tests;

/// <summary>Options that cannot be used are refused with their name.</summary>
public sealed class RegionOptionsTests
{
    [Fact]
    public async Task Options_that_can_be_used_are_accepted()
    {
        await using var agent = new RegionAgent(Valid());
        Assert.False(agent.IsWorking);
    }

    [Theory]
    [InlineData("Name")]
    [InlineData("Witnesses")]
    [InlineData("LeaseTtl")]
    [InlineData("Interval")]
    [InlineData("LongestHold")]
    [InlineData("InitialRegion")]
    [InlineData("DownAfter")]
    public void Each_is_named(string option)
    {
        var options = Valid();
        switch (option)
        {
            case "Name":
                options.Name = "c";
                break;
            case "Witnesses":
                options.Witnesses = "127.0.0.1:1,127.0.0.1:2";
                break;
            case "LeaseTtl":
                options.LeaseTtl = TimeSpan.FromMilliseconds(999);
                break;
            case "Interval":
                options.Interval = TimeSpan.FromSeconds(3);
                break;
            case "LongestHold":
                options.LongestHold = TimeSpan.FromSeconds(1);
                break;
            case "InitialRegion":
                options.InitialRegion = "c";
                break;
            default:
                options.DownAfter = TimeSpan.FromSeconds(1);
                break;
        }
        Assert.Contains(option, Assert.Throws<ArgumentException>(() => new RegionAgent(options)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("127.0.0.1:1", "no Sentinels: a single server, or a Redis Cluster")]
    [InlineData("127.0.0.1:1,serviceName=one,password=x", "one service name for both")]
    [InlineData("127.0.0.1:1,serviceName=two,password=p", "one password for both")]
    public void Regions_that_cannot_be_told_apart_are_refused(string connectionString, string why)
    {
        var options = Valid();
        options.Regions[1].ConnectionString = connectionString;
        Assert.True(Record.Exception(() => new RegionAgent(options)) is ArgumentException, why);
    }

    [Fact]
    public void What_nodes_are_told_and_where_this_process_connects_are_two_things()
    {
        var region = Valid().Regions[0];
        region.Links["127.0.0.1:5"] = "192.0.2.1:7001";
        region.EndpointMap = "127.0.0.1:4=127.0.0.1:31004,127.0.0.1:5=127.0.0.1:31005,192.0.2.1:7001=127.0.0.1:32001";
        region.Validate();
        var (sentinel, server) = (IPEndPoint.Parse("127.0.0.1:4"), IPEndPoint.Parse("127.0.0.1:5"));
        Assert.Equal(IPEndPoint.Parse("192.0.2.1:7001"), region.FromOutside(server));
        Assert.Equal(IPEndPoint.Parse("127.0.0.1:31005"), region.ReachedAt(server, fromOutside: false));
        Assert.Equal(IPEndPoint.Parse("127.0.0.1:32001"), region.ReachedAt(server, fromOutside: true));
        // No link: the other region is reached as our own.
        Assert.Equal(IPEndPoint.Parse("127.0.0.1:31004"), region.ReachedAt(sentinel, fromOutside: true));
    }

    [Fact]
    public void A_map_that_cannot_be_read_is_refused()
    {
        var options = Valid();
        options.Regions[1].EndpointMap = "127.0.0.1:6";
        Assert.Contains("EndpointMap", Assert.Throws<ArgumentException>(() => new RegionAgent(options)).Message, StringComparison.Ordinal);
    }

    private static RegionOptions Valid() => new()
    {
        Name = "a",
        Witnesses = "127.0.0.1:1,127.0.0.1:2,127.0.0.1:3",
        Regions =
        {
            new RegionDefinition { Name = "a", ConnectionString = "127.0.0.1:4,serviceName=one,password=p", Servers = "127.0.0.1:5" },
            new RegionDefinition { Name = "b", ConnectionString = "127.0.0.1:6,serviceName=two,password=q", Servers = "127.0.0.1:7" },
        },
    };
}
