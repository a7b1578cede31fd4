# Rule 3: a voter that is silent for more than 3 s is replaced if there is a standby; else the set stays.

office 4 desktops seats 1 ttl 15s
> 3 voters, 1 standby, 0 spares
call Mute a voter
call Stand a standby
partition Mute
wait 2s
show Mute
> voter
show Stand
> standby
await Stand voter within 5s
> yes
await Mute not voter within 5s
> yes
show roles
> 3 voters, 1 standby, 0 spares
> Mute: standby
> Stand: voter

# It comes back, and finds its place taken.
heal
wait 5s
show roles
> 3 voters, 1 standby, 0 spares
> Mute: standby
> Stand: voter

# With no standby the set stays, or the office would go on with fewer and fewer.
office 3 desktops seats 1 ttl 15s
> 3 voters, 0 standbys, 0 spares
call Mute a voter
partition Mute
wait 10s
show roles
> 3 voters, 0 standbys, 0 spares
> Mute: voter
heal
wait 2s
checkout eva@Mute as a
> granted
