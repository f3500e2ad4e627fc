using AspireRedis.Coordination.Failover.Cluster;

namespace AspireRedis.Coordination.Tests.Cluster;

public sealed class KeySlotTests
{
    // From the specification of Redis Cluster, and CLUSTER KEYSLOT of a server.
    [Theory]
    [InlineData("123456789", 12739)]
    [InlineData("foo", 12182)]
    [InlineData("", 0)]
    [InlineData("{user1000}.following", 3443)]
    [InlineData("{user1000}.followers", 3443)]
    [InlineData("foo{}{bar}", 8363)]
    [InlineData("foo{{bar}}zap", 4015)]
    [InlineData("foo{bar}{zap}", 5061)]
    [InlineData("foo{bar", 15278)]
    public void The_slot_is_that_of_the_hash_tag_and_else_of_the_whole_key(string key, int slot) => Assert.Equal(slot, KeySlot.Of(key));

    [Fact]
    public void Keys_that_are_no_text_have_the_slot_of_their_bytes() => Assert.Equal(KeySlot.Of("\u0001"), KeySlot.Of(new byte[] { 1 }));
}
