using AspireRedis.Client;
using AspireRedis.Contracts;
using AspireRedis.Coordination;
using AspireRedis.Inventory.Products;
using AspireRedis.Inventory.Reservations;
using AspireRedis.Inventory.Sales;
using AspireRedis.ServiceDefaults;
using Microsoft.Extensions.Options;

var builder = WebApplication.CreateBuilder(args);
builder.AddServiceDefaults();
builder.AddRedisCoordination();
builder.AddProblemDetailsDefaults();
builder.Services.AddOpenApi();
builder.Services.AddValidation();

builder.Services.AddSingleton<ProductStore>();
builder.Services.AddSingleton<ReservationStore>();
builder.Services.AddSingleton<ReservationService>();
builder.Services.AddOptions<ReservationOptions>().BindConfiguration("Reservations").ValidateDataAnnotations().ValidateOnStart();
builder.Services.RequireDurability(provider => provider.GetRequiredService<IOptions<ReservationOptions>>().Value.Durability);
builder.Services.AddHttpClient<OrdersClient>(client => client.BaseAddress = new Uri("https+http://orders-api"));
builder.Services.AddHostedService<ReservationReaper>();
builder.Services.AddConsumerGroup<OrderPlaced, SalesProjection>(Topics.OrderPlaced, (options, provider) =>
{
    options.Group = "sales";
    options.BindConsumer(provider);
});

var app = builder.Build();
app.UseProblemDetailsDefaults();
app.MapDefaultEndpoints();
app.MapOpenApi();
app.MapProducts();
app.MapReservations();
app.MapDeadLetters();
app.Run();
