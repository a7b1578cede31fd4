# Rule 5: never below three voters by itself, or tomorrow would depend on the one machine that left last.

office 3 desktops seats 1 ttl 15s
> 3 voters, 0 standbys, 0 spares
call Last the holder
call One a voter
call Two a voter
stop One Two
await One Two stopped within 5s
> yes
wait 3s
show Last
> nobody holds
checkout eva@Last as a within 3s
> no answer within 3 s

# In the morning any two of the three are an office.
power cut Last
start One Two
await holder within 5s
> yes
checkout jan@One as b within 3s
> granted

# To one voter only if at most two devices are enrolled ...
office 3 desktops seats 1 ttl 15s
> 3 voters, 0 standbys, 0 spares
call Gone a voter
leave Gone
> done
await 1 voter within 10s
> yes
wait 3s
show roles
> 1 voter, 1 standby, 0 spares
> Gone: outside

# ... or if the one that stays is always-on.
office 4 desktops seats 1 ttl 15s
> 3 voters, 1 standby, 0 spares
call Server the holder
call One a voter
call Two a voter
call Stand a standby
always-on Server
> done
stop One Two Stand
await 1 voter within 2s
> yes
await One Two Stand stopped within 3s
> yes
wait 1s
show roles
> 1 voter, 2 standbys, 1 spare
> Server: holder
> One: spare, off
> Two: standby, off
> Stand: standby, off
checkout eva@Server as a within 3s
> granted, on one disk only
