--@include no-such-script
return 1
