using System.Net;
using AspireRedis.Coordination.Failover.Cluster;

namespace AspireRedis.Coordination.Tests.Cluster;

public sealed class SlotClaimsTests
{
    private static readonly IPEndPoint s_speaker = new(IPAddress.Loopback, 7000);

    private readonly SlotClaims _claims = new();

    [Fact]
    public void The_higher_configuration_epoch_is_right_whoever_speaks_last()
    {
        Assert.True(_claims.Hear(View("a", "a master - 1 0-100", "b slave a 1")));
        Assert.True(_claims.Hear(View("b", "a master,fail - 1", "b master - 5 0-100")));
        Assert.Equal("b", _claims.OwnerOf(7));

        // It wakes, and knows nothing of that yet.
        Assert.False(_claims.Hear(View("a", "a master - 1 0-100", "b slave a 1")));
        Assert.Equal("b", _claims.OwnerOf(7));
    }

    [Fact]
    public void A_single_slot_that_was_moved_is_that_of_its_new_owner_alone()
    {
        _claims.Hear(View("a", "a master - 1 0-100 [50->-c]", "c master - 2 101-16383"));
        Assert.Equal("a", _claims.OwnerOf(50));

        Assert.True(_claims.Hear(View("c", "a master - 1 0-100", "c master - 7 50 101-16383")));

        Assert.Equal(("a", "c", "a"), (_claims.OwnerOf(49), _claims.OwnerOf(50), _claims.OwnerOf(51)));
    }

    [Fact]
    public void What_its_owner_gives_up_may_be_claimed_with_a_lower_epoch_and_is_its_own_until_then()
    {
        _claims.Hear(View("a", "a master - 9 0-100", "c master - 2 101-16383"));
        Assert.False(_claims.Hear(View("c", "a master - 9", "c master - 2 0-16383")));
        Assert.Equal("a", _claims.OwnerOf(0));

        _claims.Hear(View("a", "a master - 9 1-100", "c master - 2 101-16383"));
        Assert.Equal("a", _claims.OwnerOf(0));
        Assert.True(_claims.Hear(View("c", "a master - 9", "c master - 2 0-16383")));

        Assert.Equal(("c", "a"), (_claims.OwnerOf(0), _claims.OwnerOf(1)));
    }

    [Theory]
    [InlineData("a 127.0.0.1:7001@17001,host.example myself,master - 0 0 3 connected 5 7-9 [11-<-b]", "127.0.0.1:7001")]
    [InlineData("a :7002@17002 myself,master - 0 0 3 connected 5 7-9", "127.0.0.1:7000")]
    [InlineData("a ::1:7003@17003 myself,master - 0 0 3 connected 5 7-9", "[::1]:7003")]
    public void A_line_of_CLUSTER_NODES_is_read_with_what_may_be_in_an_address(string line, string address)
    {
        var node = Assert.Single(ClusterView.Parse(line + "\n", s_speaker).Nodes);

        Assert.Equal(address, node.Address!.ToString());
        Assert.Equal((3, true, false), (node.Epoch, node.IsPrimary, node.IsFailed));
        Assert.Equal([(5, 5), (7, 9)], node.Slots);
    }

    [Theory]
    [InlineData("ERR This instance has cluster support disabled")]
    [InlineData("a 127.0.0.1:7001@17001 myself,master - 0 0 3 connected 5-99999")]
    [InlineData("a 127.0.0.1:7001@17001 master - 0 0 3 connected")]
    public void What_is_no_such_reply_is_refused(string text)
        => Assert.Throws<FormatException>(() => ClusterView.Parse(text, s_speaker));

    /// <summary>Nodes as "ID FLAGS PRIMARY EPOCH SLOTS...".</summary>
    private static ClusterView View(string speaker, params string[] nodes)
        => ClusterView.Parse(string.Join('\n', nodes.Select(n =>
        {
            var words = n.Split(' ');
            var flags = words[0] == speaker ? $"myself,{words[1]}" : words[1];
            return $"{words[0]} 127.0.0.1:70{words[0][0] - 'a':00}@17000 {flags} {words[2]} 0 0 {words[3]} connected {string.Join(' ', words.Skip(4))}";
        })), s_speaker);
}
