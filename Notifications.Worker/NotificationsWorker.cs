namespace AspireRedis.Notifications;

/// <summary>Stands for this assembly in <c>WebApplicationFactory&lt;NotificationsWorker&gt;</c>.</summary>
public sealed class NotificationsWorker;
