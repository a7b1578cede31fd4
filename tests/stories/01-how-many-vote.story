# Rule 1: one or two devices have one voter, three to nine have three, ten or more of which five are desktops have
# five. There are two standbys; the rest are spares.

office 1 desktop seats 1 ttl 15s
> 1 voter, 0 standbys, 0 spares

office 2 desktops seats 1 ttl 15s
> 1 voter, 0 standbys, 1 spare

office 3 desktops seats 1 ttl 15s
> 3 voters, 0 standbys, 0 spares

office 6 desktops seats 1 ttl 15s
> 3 voters, 2 standbys, 1 spare
await 3 voters within 1s
> yes
show roles
> 3 voters, 2 standbys, 1 spare

# Ten machines, of which five are desktops: five.
office 5 desktops 5 laptops seats 1 ttl 15s
> 5 voters, 2 standbys, 3 spares
await 5 voters within 20s
> yes
wait 3s
show roles
> 5 voters, 2 standbys, 3 spares

# Ten machines, but four desktops only: three.
office 4 desktops 6 laptops seats 1 ttl 15s
> 3 voters, 2 standbys, 5 spares
await 5 voters within 5s
> not within 5 s
show roles
> 3 voters, 2 standbys, 5 spares
